// Shapes in fractions of the picture. Pure.

/** @typedef {[number, number]} Point */

/**
 * The points of a shape in either form of the configuration: a list, or with a title.
 * @returns {Point[]}
 */
export const pointsOf = (shape) => (Array.isArray(shape) ? shape : shape?.points || shape?.polygon || []);

/** @param {number} value */
const clamp = (value) => Math.min(1, Math.max(0, value));

/**
 * Round to what the eye can set, inside the picture.
 * @param {Point} point
 * @returns {Point}
 */
export const tidy = ([x, y]) => [Math.round(clamp(x) * 1e4) / 1e4, Math.round(clamp(y) * 1e4) / 1e4];

const SNAP = 0.012;

/**
 * Pull a point that is close to the edge of the picture onto it.
 * @param {Point} point
 * @returns {Point}
 */
export const snap = (point) =>
  /** @type {Point} */ (tidy(point).map((value) => (value < SNAP ? 0 : value > 1 - SNAP ? 1 : value)));

/** @param {Point} a @param {Point} b @param {Point} c */
const turn = (a, b, c) => Math.sign((b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]));

/** @param {Point} a @param {Point} b @param {Point} p whether p, in line with a and b, lies between them */
const between = (a, b, p) =>
  Math.min(a[0], b[0]) <= p[0] && p[0] <= Math.max(a[0], b[0]) && Math.min(a[1], b[1]) <= p[1] && p[1] <= Math.max(a[1], b[1]);

/**
 * Whether two edges have a point in common.
 * @param {Point} a
 * @param {Point} b
 * @param {Point} c
 * @param {Point} d
 */
export function meet(a, b, c, d) {
  const [abc, abd, cda, cdb] = [turn(a, b, c), turn(a, b, d), turn(c, d, a), turn(c, d, b)];
  if (abc * abd < 0 && cda * cdb < 0) return true;
  return (
    (abc === 0 && between(a, b, c)) || (abd === 0 && between(a, b, d)) ||
    (cda === 0 && between(c, d, a)) || (cdb === 0 && between(c, d, b))
  );
}

const same = (a, b) => a[0] === b[0] && a[1] === b[1];

/**
 * Whether edges of a ring, or of the way so far (`closed` false), cross or fold back.
 * @param {Point[]} points
 * @param {boolean} [closed]
 */
export function crosses(points, closed = true) {
  const edges = points.map((point, index) => [point, points[(index + 1) % points.length]]);
  if (!closed) edges.pop();
  const last = edges.length - 1;
  for (let i = 0; i <= last; i += 1) {
    if (same(edges[i][0], edges[i][1])) return true;
    for (let j = i + 1; j <= last; j += 1) {
      const [a, b] = edges[i];
      const [c, d] = edges[j];
      if (j === i + 1 || (closed && i === 0 && j === last && last > 1)) {
        const [tip, from, to] = j === i + 1 ? [b, a, d] : [a, b, c];
        if (turn(from, tip, to) === 0 && (between(tip, from, to) || between(tip, to, from))) return true;
      } else if (meet(a, b, c, d)) return true;
    }
  }
  return false;
}

/** @param {Point[]} points of a ring */
export function area(points) {
  let twice = 0;
  for (let i = 0; i < points.length; i += 1) {
    const [[x1, y1], [x2, y2]] = [points[i], points[(i + 1) % points.length]];
    twice += x1 * y2 - x2 * y1;
  }
  return Math.abs(twice) / 2;
}

/**
 * Whether a shape can be kept.
 * @param {"zone" | "mask" | "line" | "scale"} kind
 * @param {Point[]} points
 */
export function isWhole(kind, points) {
  if (kind === "line") return points.length === 2 && !same(points[0], points[1]);
  if (kind === "scale") return points.length === 4 && !crosses(points) && area(points) > 1e-6;
  return points.length >= 3 && !crosses(points) && area(points) > 1e-6;
}

/**
 * The edge that is nearest to a point, as the index at which a point is inserted.
 * @param {Point[]} points
 * @param {Point} at
 * @param {boolean} closed
 */
export function edgeNear(points, at, closed) {
  let [best, found] = [Infinity, points.length];
  const count = closed ? points.length : points.length - 1;
  for (let i = 0; i < count; i += 1) {
    const distance = toEdge(at, points[i], points[(i + 1) % points.length]);
    if (distance < best) [best, found] = [distance, i + 1];
  }
  return found;
}

/** @param {Point} p @param {Point} a @param {Point} b */
function toEdge(p, a, b) {
  const [dx, dy] = [b[0] - a[0], b[1] - a[1]];
  const length = dx * dx + dy * dy;
  const share = length ? clamp(((p[0] - a[0]) * dx + (p[1] - a[1]) * dy) / length) : 0;
  return Math.hypot(p[0] - a[0] - share * dx, p[1] - a[1] - share * dy);
}

/** @param {Point} a @param {Point} b @returns {Point} */
export const middle = (a, b) => tidy([(a[0] + b[0]) / 2, (a[1] + b[1]) / 2]);

/** @param {Point[]} points @returns {Point} */
export const centre = (points) =>
  /** @type {Point} */ ([0, 1].map((axis) => points.reduce((sum, point) => sum + point[axis], 0) / (points.length || 1)));
