import { html, useEffect, useRef, useState } from "../../vendor/preact.js";
import { address, api, path } from "../api.js";
import { t } from "../i18n.js";
import { Heading, isTyping, Loading, Problem, Status, useApi, useChange } from "../ui.js";
import { useMay } from "../session.js";
import { Canvas } from "./canvas.js";
import { begun, changed, fromServer, redone, undone } from "./draft.js";
import { rulesOf } from "./form.js";
import { RuleList, ShapeForm, ShapeList, taken } from "./panel.js";

/**
 * Zones, lines and masks of one camera.
 * @param {{parts: string[]}} props
 */
export function EditorPage({ parts: [id] }) {
  const { data, error } = useApi("cameras");
  const cameras = data?.cameras || [];
  const camera = id ? cameras.find((one) => one.id === id) : null;
  return html`<${Heading}>${camera ? t("editor.of", { camera: camera.title || camera.id }) : t("nav.zones")}<//>
    <${Problem} error=${error} />
    ${!data && !error && html`<${Loading} />`}
    ${data && !camera && html`<ul class="tiles">${cameras.map((one) => html`<li><a class="card" href=${`#/zones/${encodeURIComponent(one.id)}`}>
      ${one.title || one.id}</a></li>`)}</ul>`}
    ${camera && html`<${CameraEditor} camera=${camera} />`}`;
}

/**
 * The editor of one camera.
 * @param {{camera: any, onSaved?: () => void}} props onSaved: what was drawn is kept and in effect
 */
export function CameraEditor({ camera, onSaved }) {
  const shapes = useApi(`cameras/${path(camera.id)}/shapes`);
  const schema = useApi("schema");
  const [kept, setKept] = useState("");
  const problem = shapes.error || schema.error;
  if (problem) return html`<${Problem} error=${problem} />`;
  if (!shapes.data || !schema.data) return html`<${Loading} />`;
  return html`<${Status}>${kept}<//><${Editor} key=${shapes.data.etag} camera=${camera} shapes=${shapes.data} schema=${schema.data}
    onReload=${shapes.reload} onKept=${setKept} onSaved=${onSaved} />`;
}

function Editor({ camera, shapes, schema, onReload, onKept, onSaved }) {
  const [history, setHistory] = useState(() => begun(fromServer(shapes)));
  const [selected, setSelected] = useState(null);
  const [drawing, setDrawing] = useState(null);
  const [said, say] = useState("");
  const dirty = history.past.length > 0;
  const may = useMay("PUT /cameras/{camera}/shapes");
  useLeaving(dirty);
  const picture = usePicture(camera);
  const draft = history.now;
  const change = (next, replace = false) => setHistory((old) => changed(old, next, replace));
  const back = () => setHistory(undone);
  const forth = () => setHistory(redone);
  const select = (where) => {
    setSelected(where);
    setDrawing(null);
  };
  const onDraw = (kind, rule) => {
    setDrawing({ kind, rule });
    say(t("editor.how"));
  };
  const onDrawn = (points) => {
    if (points) {
      const { next, where } = taken(draft, drawing, points);
      change(next);
      if (where) setSelected(where);
      say(t("editor.drawn"));
    }
    setDrawing(null);
  };
  const onKeyDown = (event) => {
    if (!(event.ctrlKey || event.metaKey) || isTyping(event)) return;
    const key = event.key.toLowerCase();
    if (key === "z") (event.shiftKey ? forth : back)();
    else if (key === "y") forth();
    else return;
    event.preventDefault();
  };
  // A step back may have taken the chosen shape away.
  const chosen = selected && draft[`${selected.kind}s`]?.[selected.name] ? selected : null;
  const inForce = drawing?.rule === undefined ? chosen : { kind: drawing.kind, name: drawing.rule };
  return html`<div class="split" onKeyDown=${onKeyDown}>
    <div>
      ${shapes.view_changed && html`<p class="notice bad" role="alert">${t("editor.stale")}</p>`}
      <${Canvas} picture=${picture.src} ratio=${(camera.width || 16) / (camera.height || 9)} draft=${draft} selected=${inForce}
        drawing=${drawing?.kind || null} onSelect=${select} onChange=${change} onDrawn=${onDrawn} say=${say} />
      <div class="row tools">
        <button onClick=${back} disabled=${!history.past.length}>${t("editor.undo")}</button>
        <button onClick=${forth} disabled=${!history.future.length}>${t("editor.redo")}</button>
        <button onClick=${picture.renew}>${t("editor.renew")}</button>
      </div>
      <${Status}>${said}<//>
      <details><summary>${t("editor.help")}</summary><p>${t("editor.help.mouse")}</p><p>${t("editor.help.keys")}</p></details>
    </div>
    <aside>
      <${Saving} camera=${camera} shapes=${shapes} draft=${draft} dirty=${dirty} may=${may} onReload=${onReload} onKept=${onKept} onSaved=${onSaved} />
      <${ShapeList} draft=${draft} origins=${shapes.origins} selected=${chosen} onSelect=${select} onDraw=${onDraw} />
      ${chosen && html`<${ShapeForm} draft=${draft} where=${chosen} onChange=${change} onSelect=${select} say=${say} />
        <${RuleList} draft=${draft} where=${chosen} rules=${rulesOf(schema)} schedules=${Object.keys(shapes.schedules || {})}
          onChange=${change} onDraw=${onDraw} />`}
    </aside>
  </div>`;
}

/** Keep what was drawn: as a draft that is checked first; somebody else's change is never overwritten unseen. */
function Saving({ camera, shapes, draft, dirty, may, onReload, onKept, onSaved }) {
  const { busy, error, run } = useChange();
  const place = `cameras/${path(camera.id)}/shapes`;
  const save = (etag) => run(async () => {
    const kept = await api.put(place, draft, etag);
    onKept(kept.applied ? t("editor.applied") : t("editor.kept", { why: kept.why_not }));
    if (kept.applied && onSaved) onSaved();
    else onReload();
  });
  const overwrite = async () => save((await api.get(place)).etag);
  const drop = () => run(async () => {
    await api.remove(place, shapes.etag);
    onReload();
  });
  if (!may) return html`<p class="muted">${t("editor.readonly")}</p>`;
  return html`<section class="row">
    <button class="main" disabled=${!dirty || busy} onClick=${() => save(shapes.etag)}>${t("editor.save")}</button>
    ${shapes.draft && !dirty && html`<button class="danger" disabled=${busy} onClick=${drop}>${t("editor.drop")}</button>`}
    ${dirty && html`<button disabled=${busy} onClick=${onReload}>${t("editor.discard")}</button>`}
    ${error?.status === 412
      ? html`<div class="notice bad" role="alert"><p>${t("editor.conflict")}</p><div class="row">
          <button onClick=${onReload}>${t("editor.theirs")}</button><button onClick=${overwrite}>${t("editor.mine")}</button></div></div>`
      : html`<${Problem} error=${error} />`}
  </section>`;
}

/** Ask before the page is left with changes that were not saved. */
function useLeaving(dirty) {
  const now = useRef(dirty);
  now.current = dirty;
  useEffect(() => {
    const ask = (event) => now.current && event.preventDefault();
    addEventListener("beforeunload", ask);
    return () => removeEventListener("beforeunload", ask);
  }, []);
}

function usePicture(camera) {
  const [round, setRound] = useState(() => Date.now());
  return { src: address(`cameras/${path(camera.id)}/snapshot.jpg`, { at: round }), renew: () => setRound(Date.now()) };
}
