// The picture with its shapes. Points are drawn and moved by pointer or by keyboard.

import { html, useEffect, useRef, useState } from "../../vendor/preact.js";
import { percent, t } from "../i18n.js";
import { FULL, inserted, isClosed, mayContinue, mayEnd, moved, points, shortened } from "./draft.js";
import { centre, middle, snap } from "./geometry.js";

const WIDTH = 1000; // of the drawing's own units
const STEP = 0.002;
const LONG_STEP = 0.02;
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/**
 * How far an arrow key moves.
 * @param {KeyboardEvent} event
 * @returns {[number, number] | null}
 */
function stepOf(event) {
  const arrow = ARROWS[event.key];
  const step = event.shiftKey ? LONG_STEP : STEP;
  return arrow ? [arrow[0] * step, arrow[1] * step] : null;
}

/**
 * @param {{picture: string, ratio: number, draft: import("./draft.js").Draft,
 *   selected: import("./draft.js").Where | null, drawing: import("./draft.js").Kind | null,
 *   onSelect: (where: import("./draft.js").Where) => void,
 *   onChange: (draft: import("./draft.js").Draft, replace?: boolean) => void,
 *   onDrawn: (points: import("./geometry.js").Point[] | null) => void, say: (text: string) => void}} props
 */
export function Canvas({ picture, ratio, draft, selected, drawing, onSelect, onChange, onDrawn, say }) {
  const svg = useRef(null);
  const height = WIDTH / ratio;
  const unit = useUnit(svg);
  /** @param {PointerEvent} event @returns {[number, number]} */
  const placeOf = (event) => {
    const box = svg.current.getBoundingClientRect();
    return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
  };
  const at = ([x, y]) => [x * WIDTH, y * height];
  const common = { at, unit, height };
  const sketch = useSketch({ drawing, svg, placeOf, onDrawn, say });
  const shapes = /** @type {const} */ (["zone", "line", "mask"]).flatMap((kind) => Object.keys(draft[`${kind}s`]).map((name) => ({ kind, name })));
  const extra = selected && !["zone", "line", "mask"].includes(selected.kind) ? [selected] : [];
  return html`<div class="screen editor" style=${{ aspectRatio: String(ratio) }}>
    <img src=${picture} alt=${t("editor.picture")} />
    <svg ref=${svg} class=${`over ${drawing ? "drawing" : ""}`} viewBox=${`0 0 ${WIDTH} ${height}`}
      role="application" aria-label=${drawing ? t("editor.drawing", { kind: t(`editor.${drawing}`) }) : t("editor.canvas")}
      tabindex=${drawing ? 0 : -1} ...${drawing ? sketch.handlers : {}}>
      ${[...shapes, ...extra].map((where) => html`<${Shape} key=${`${where.kind} ${where.name}`} ...${common} where=${where}
        list=${points(draft, where)} chosen=${same(where, selected)} onSelect=${drawing ? null : onSelect} />`)}
      ${selected && !drawing && html`<${Handles} ...${common} draft=${draft} where=${selected} onChange=${onChange}
        placeOf=${placeOf} say=${say} />`}
      ${drawing && html`<${Sketch} ...${common} kind=${drawing} ...${sketch} />`}
    </svg>
  </div>`;
}

const same = (a, b) => Boolean(b) && a.kind === b.kind && a.name === b.name;

/** The drawing's units in one pixel of the screen. */
function useUnit(svg) {
  const [unit, setUnit] = useState(1);
  useEffect(() => {
    const watch = new ResizeObserver(([entry]) => entry.contentRect.width && setUnit(WIDTH / entry.contentRect.width));
    watch.observe(svg.current);
    return () => watch.disconnect();
  }, []);
  return unit;
}

const path = (list, at) => list.map((point) => at(point).map((value) => value.toFixed(1)).join(",")).join(" ");

function Shape({ where, list, chosen, at, unit, onSelect }) {
  const closed = isClosed(where.kind);
  const [x, y] = at(centre(list));
  const look = { class: `shape ${where.kind} ${chosen ? "chosen" : ""}`, points: path(list, at) };
  return html`<g data-shape=${`${where.kind} ${where.name}`} onPointerDown=${() => onSelect?.(where)}>
    ${closed ? html`<polygon ...${look} />` : html`<polyline ...${look} />`}
    ${where.kind === "line" && html`<${Sides} list=${list} at=${at} unit=${unit} />`}
    ${where.kind === "way" && html`<${Arrow} from=${at(list[0])} to=${at(list[1])} unit=${unit} />`}
    ${closed && where.kind !== "scale" && html`<text x=${x} y=${y} font-size=${14 * unit}>${where.name}</text>`}
    ${where.kind === "scale" && list.length === 4 && [0, 1].map((edge) => {
      const [mx, my] = at(middle(list[edge], list[edge + 1]));
      return html`<text key=${edge} x=${mx} y=${my} font-size=${14 * unit}>${t(edge ? "editor.depth" : "editor.width")}</text>`;
    })}
  </g>`;
}

/** Both directions in which a line is crossed, named as rules name them. */
function Sides({ list, at, unit }) {
  const [a, b] = list.map(at);
  const [dx, dy] = [b[0] - a[0], b[1] - a[1]];
  const upright = Math.abs(dy) > Math.abs(dx);
  const length = Math.hypot(dx, dy) || 1;
  const flip = (upright ? dy : -dx) > 0 ? 1 : -1; // the normal that points to the right, or upwards
  const [nx, ny] = [(flip * dy) / length, (-flip * dx) / length];
  const [mx, my] = [(a[0] + b[0]) / 2, (a[1] + b[1]) / 2];
  const names = upright ? ["right", "left"] : ["up", "down"];
  return names.map((name, index) => {
    const reach = (index ? -1 : 1) * 34 * unit;
    const tip = [mx + nx * reach, my + ny * reach];
    return html`<g key=${name}><${Arrow} from=${[mx, my]} to=${tip} unit=${unit} />
      <text x=${tip[0] + nx * 12 * Math.sign(reach) * unit} y=${tip[1] + ny * 12 * Math.sign(reach) * unit + 4 * unit}
        font-size=${13 * unit}>${t(`direction.${name}`)}</text></g>`;
  });
}

function Arrow({ from, to, unit }) {
  const angle = Math.atan2(to[1] - from[1], to[0] - from[0]);
  const wing = (turn) => `${to[0] - 10 * unit * Math.cos(angle + turn)},${to[1] - 10 * unit * Math.sin(angle + turn)}`;
  return html`<path class="arrow" d=${`M${from} L${to} M${wing(0.5)} L${to} L${wing(-0.5)}`} />`;
}

/** The points of the chosen shape: dragged, moved by arrows, removed by Delete, added by Insert or +. */
function Handles({ draft, where, at, unit, placeOf, onChange, say }) {
  const list = points(draft, where);
  const group = useRef(null);
  const change = (next, index, refusal) => {
    if (!next) return say(refusal);
    onChange(next);
    const [x, y] = points(next, where)[Math.min(index, points(next, where).length - 1)];
    say(t("editor.at", { x: percent(x), y: percent(y) }));
    return undefined;
  };
  const focus = (index) => requestAnimationFrame(() => group.current?.querySelectorAll("[role=button]")[index]?.focus());
  const onKey = (event, index) => {
    const step = stepOf(event);
    const point = list[index];
    if (step) change(moved(draft, where, index, [point[0] + step[0], point[1] + step[1]]), index, t("editor.crosses"));
    else if (event.key === "Delete" || event.key === "Backspace") {
      change(shortened(draft, where, index), index, t("editor.needed"));
      focus(Math.max(0, index - 1));
    } else if (event.key === "Insert" || event.key === "+") {
      const next = list[(index + 1) % list.length];
      change(inserted(draft, where, middle(point, next)), index + 1, t("editor.full"));
      focus(index + 1);
    } else return;
    event.preventDefault();
  };
  const drag = (event, index) => {
    const handle = event.currentTarget;
    handle.setPointerCapture(event.pointerId);
    let latest = draft;
    const move = (e) => {
      const next = moved(latest, where, index, placeOf(e));
      if (!next) return say(t("editor.crosses"));
      onChange(next, latest !== draft); // one drag is one step back
      latest = next;
      return undefined;
    };
    handle.addEventListener("pointermove", move);
    handle.addEventListener("lostpointercapture", () => handle.removeEventListener("pointermove", move), { once: true });
  };
  const edges = where.kind in FULL ? [] : list.map((point, index) => middle(point, list[(index + 1) % list.length]));
  return html`<g ref=${group}>
    ${edges.map((point, index) => html`<g key=${`e${index}`} class="handle add" aria-hidden="true"
      onPointerDown=${() => change(inserted(draft, where, point), index + 1, t("editor.full"))}>
      <${Dot} at=${at(point)} unit=${unit} size=${4} /></g>`)}
    ${list.map((point, index) => html`<g key=${index} class="handle" role="button" tabindex="0"
      aria-label=${t("editor.point", { n: index + 1, x: percent(point[0]), y: percent(point[1]) })}
      onKeyDown=${(event) => onKey(event, index)} onPointerDown=${(event) => drag(event, index)}>
      <${Dot} at=${at(point)} unit=${unit} size=${7} /></g>`)}
  </g>`;
}

function Dot({ at: [x, y], unit, size }) {
  return html`<circle class="reach" cx=${x} cy=${y} r=${14 * unit} /><circle class="dot" cx=${x} cy=${y} r=${size * unit} />`;
}

/** A shape that is being drawn: pointer or cross-hair set points, Enter ends, Backspace takes one back, Escape gives up. */
function useSketch({ drawing, svg, placeOf, onDrawn, say }) {
  const [drawn, setDrawn] = useState(/** @type {[number, number][]} */ ([]));
  const [cursor, setCursor] = useState(/** @type {[number, number]} */ ([0.5, 0.5]));
  useEffect(() => {
    setDrawn([]);
    if (drawing) svg.current.focus();
  }, [drawing]);
  const end = (list) => (mayEnd(drawing, list) ? onDrawn(list) : say(t("editor.crosses")));
  const add = (place) => {
    const point = snap(place);
    if (!mayContinue(drawn, point)) return say(t("editor.crosses"));
    const list = [...drawn, point];
    if (list.length === FULL[drawing]) return end(list);
    setDrawn(list);
    return say(t("editor.set", { n: list.length, x: percent(point[0]), y: percent(point[1]) }));
  };
  const onPointerDown = (event) => {
    event.preventDefault();
    svg.current.focus();
    const place = placeOf(event);
    setCursor(place);
    const near = drawn.length > 2 && isClosed(drawing) && isNear(svg.current, drawn[0], place);
    return near ? end(drawn) : add(place);
  };
  const onKeyDown = (event) => {
    const step = stepOf(event);
    if (step) {
      const next = snap([cursor[0] + step[0], cursor[1] + step[1]]);
      setCursor(next);
      say(t("editor.at", { x: percent(next[0]), y: percent(next[1]) }));
    } else if (event.key === " ") add(cursor);
    else if (event.key === "Enter") end(drawn);
    else if (event.key === "Backspace") setDrawn(drawn.slice(0, -1));
    else if (event.key === "Escape") onDrawn(null);
    else return;
    event.preventDefault();
  };
  const handlers = { onPointerDown, onKeyDown, onPointerMove: (event) => setCursor(placeOf(event)) };
  return { drawn, cursor, handlers };
}

/** Whether a place is within reach of a finger of a point. */
function isNear(svg, [px, py], [x, y]) {
  const box = svg.getBoundingClientRect();
  return Math.hypot((px - x) * box.width, (py - y) * box.height) < 14;
}

function Sketch({ kind, drawn, cursor, at, unit, height }) {
  const good = mayContinue(drawn, cursor);
  const [x, y] = at(cursor);
  return html`<g class="sketch" aria-hidden="true">
    <polyline class=${`shape ${kind} ${good ? "" : "bad"}`} points=${path([...drawn, cursor], at)} />
    ${drawn.map((point, index) => html`<g key=${index} class="handle"><${Dot} at=${at(point)} unit=${unit} size=${6} /></g>`)}
    <path class="cross" d=${`M${x},0 V${height} M0,${y} H${WIDTH}`} />
  </g>`;
}
