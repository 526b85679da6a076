// Helpers of all widgets. They are joined with a widget's own file into one module; nothing is imported or fetched.

const SVG_NS = "http://www.w3.org/2000/svg";

/** Make an element: `class`, `text`, `on...` and attributes; children that are null or false are left out.
 *
 * JupyterLab keeps its shortcuts out of what has that attribute and the focus; else arrow keys would fold headings
 * instead of moving a slider. */
function make(node, properties, children) {
  if (/^(input|select|textarea|button)$/.test(node.localName) || properties?.tabindex !== undefined)
    node.setAttribute("data-lm-suppress-shortcuts", "true");
  for (const [name, value] of Object.entries(properties ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "text") node.textContent = value;
    else if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}
const h = (tag, properties, ...children) => make(document.createElement(tag), properties, children);
const svg = (tag, properties, ...children) => make(document.createElementNS(SVG_NS, tag), properties, children);

let serial = 0;
/** An id that no other element of the page has. */
const fresh = (prefix) => `${prefix}-${++serial}-${Math.random().toString(36).slice(2, 7)}`;

/** A number with the mark of where it comes from (made by `number()` in Python). */
const num = (n) =>
  h("span", { class: "num" }, n.text, h("span", { class: `origin ${n.origin}`, "aria-hidden": "true", title: n.origin, text: n.mark }));

/** Virtual nanoseconds in words. */
function duration(ns) {
  const [size, unit] = ns >= 1e9 ? [1e9, "s"] : ns >= 1e6 ? [1e6, "ms"] : ns >= 1e3 ? [1e3, "µs"] : [1, "ns"];
  return `${Number((ns / size).toPrecision(3))} ${unit}`;
}

const reducedMotion = () => window.matchMedia("(prefers-reduced-motion: reduce)").matches;

/** The frame of a widget: title, tools, main part, origins beneath, and a line that screen readers speak. */
function frame(el, { name, title, subtitle }) {
  const heading = fresh("meshsim");
  const parts = {
    subtitle: h("p", { class: "subtitle", text: subtitle ?? "" }),
    tools: h("div", { class: "tools" }),
    main: h("div", { class: "main" }),
    origins: h("ul", { class: "origins", "aria-label": "Where the numbers come from" }),
    spoken: h("div", { class: "spoken", role: "status", "aria-live": "polite" }),
  };
  const root = h("section", { class: `meshsim ${name}`, "aria-labelledby": heading, "data-testid": name },
    h("header", {}, h("div", { class: "titles" }, h("h3", { id: heading, text: title }), parts.subtitle), parts.tools),
    parts.main, parts.origins, parts.spoken);
  el.replaceChildren(root);
  return { root, ...parts };
}

/** Fill the legend of origins, and say something. */
const showOrigins = (list, origins) =>
  list.replaceChildren(...origins.map((o) =>
    h("li", {}, h("span", { class: `origin ${o.name}`, text: o.mark }), " ", o.words)));
const say = (parts, text) => { if (parts.spoken.textContent !== text) parts.spoken.textContent = text; };

/** Tell the kernel what the user wants: set traits. The widget is busy until the next view comes. */
function want(model, root, traits) {
  for (const [name, value] of Object.entries(traits)) model.set(name, value);
  root?.setAttribute("aria-busy", "true");
  model.save_changes();
}

/** Draw now and whenever one of the traits changes; at most once a frame. Returns what ends it. */
function follow(model, root, draw, traits = ["view"]) {
  let waiting = 0;
  const drawNow = () => { waiting = 0; draw(model.get("view")); root.removeAttribute("aria-busy"); };
  const soon = () => { if (!waiting) waiting = requestAnimationFrame(drawNow); };
  for (const name of traits) model.on(`change:${name}`, soon);
  drawNow();
  return () => {
    cancelAnimationFrame(waiting);
    for (const name of traits) model.off(`change:${name}`, soon);
  };
}

const button = (text, onclick, properties = {}) => h("button", { type: "button", onclick, text, ...properties });

/** A labelled slider; `onpick` hears the value when the hand rests, `onmove` while it moves. */
function slider(label, { min, max, step = 1, value, onpick, onmove }) {
  const id = fresh("slider");
  const shown = h("output", { for: id, "aria-live": "off", text: value }); // the slider itself speaks
  const input = h("input", { id, type: "range", min, max, step, value,
    oninput: () => { shown.textContent = input.value; onmove?.(Number(input.value)); },
    onchange: () => onpick?.(Number(input.value)) });
  const box = h("div", { class: "control" }, h("label", { for: id, text: label }), input, shown);
  box.put = (v) => { if (document.activeElement !== input || Number(input.value) !== v) { input.value = v; shown.textContent = v; } };
  box.input = input;
  return box;
}

/** One of a few: a labelled select. `options` are [value, words]. */
function choice(label, options, value, onpick) {
  const id = fresh("choice");
  const select = h("select", { id, onchange: () => onpick(select.value) },
    options.map(([v, words]) => h("option", { value: v, selected: v === value, text: words })));
  const box = h("div", { class: "control" }, h("label", { for: id, text: label }), select);
  box.put = (v) => { select.value = v; };
  box.input = select;
  return box;
}

/** Yes or no: a labelled check box. */
function toggle(label, value, onpick) {
  const id = fresh("toggle");
  const input = h("input", { id, type: "checkbox", checked: value, onchange: () => onpick(input.checked) });
  const box = h("div", { class: "control" }, input, h("label", { for: id, text: label }));
  box.put = (v) => { input.checked = v; };
  box.input = input;
  return box;
}

/** Keys of an element: a table from `event.key` to a function; keys of inputs inside stay theirs. */
function keys(element, table) {
  element.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, select, textarea")) return;
    const act = table[event.key];
    if (!act) return;
    event.preventDefault();
    event.stopPropagation(); // the notebook has keys of its own
    act(event);
  });
}
