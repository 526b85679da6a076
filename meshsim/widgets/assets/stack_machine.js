// The stack machine: draws one moment of a call; buttons, keys and the slider ask the kernel for another.

function render({ model, el }) {
  const view = model.get("view");
  const parts = frame(el, { name: "stack_machine", title: view.title, subtitle: view.subtitle });
  const { root } = parts;
  const go = (step) => {
    const to = Math.max(0, Math.min(step, model.get("view").total));
    if (to !== model.get("step")) want(model, root, { step: to });
  };
  const by = (count) => go(model.get("step") + count);

  const first = button("⏮", () => go(0), { "aria-label": "to the beginning", title: "to the beginning (Home)" });
  const back = button("◀ back", () => by(-1), { title: "one step back (arrow left)" });
  const on = button("step ▶", () => by(1), { class: "primary", title: "one step on (arrow right)" });
  const last = button("⏭", () => go(Infinity), { "aria-label": "to the end", title: "to the end (End)" });
  const scrub = slider("step", { min: 0, max: view.total, value: view.step, onpick: go, onmove: go });
  parts.tools.append(first, back, on, last, scrub);

  const did = h("p", { class: "did", "data-testid": "did" });
  const code = h("div", { class: "code mono", tabindex: 0, role: "region", "aria-label": "Instructions; arrow keys step", "data-testid": "chart" });
  const stack = h("div", { class: "panel", "data-testid": "stack" });
  const cells = h("div", { class: "panel", "data-testid": "cells" });
  const memory = h("div", { class: "memory", tabindex: 0, role: "region", "aria-label": "Linear memory", "data-testid": "memory" });
  parts.main.append(did, h("div", { class: "desk" }, code, h("div", { class: "side" }, stack, cells)), memory);
  keys(root, { ArrowRight: () => by(1), ArrowLeft: () => by(-1), ArrowDown: () => by(1), ArrowUp: () => by(-1), Home: () => go(0), End: () => go(Infinity) });

  const value = (item, name) =>
    h("li", { class: item.fresh ? "fresh" : null }, name && h("span", { class: "name", text: name }),
      h("span", { class: "value mono", text: item.text }), h("span", { class: "type", text: item.type }),
      item.fresh && h("span", { class: "new", text: "new" }));

  let most = 4; // lines of the longest function so far: what stands below does not move when a call comes back

  function drawCode(v) {
    most = Math.max(most, v.code.lines.length);
    code.style.minHeight = `${Math.min(330, 46 + 20 * most)}px`;
    const lines = v.code.lines.map((line, i) => {
      const at = v.code.first + i;
      const state = at === v.code.next ? "next" : at === v.code.last ? "last" : null;
      const mark = { next: "▶", last: "✓" }[state] ?? "";
      return h("div", { class: `line ${state ?? ""}`, "aria-current": state === "next" ? "step" : null },
        h("span", { class: "mark", text: mark }), h("span", { class: "offset", text: line.offset }),
        h("span", { class: `text ${line.can ? "" : "cannot"}`, style: `padding-left:${line.depth * 16}px`, text: line.text }));
    });
    code.replaceChildren(h("h4", { text: v.calls.length > 1 ? `Code: ${v.calls.join(" → ")}` : "Code" }), ...lines);
    const here = code.querySelector(".next") ?? code.querySelector(".last");
    if (here) code.scrollTop = Math.max(0, here.offsetTop - code.clientHeight / 2);
  }

  function drawSide(v) {
    const items = v.stack.map((item) => value(item)).reverse();
    stack.replaceChildren(h("h4", { text: v.results ? "Results" : "Operand stack" }),
      h("ol", { class: "pile", "aria-label": "top first" }, items.length ? items : h("li", { class: "empty", text: "empty" })));
    const list = (title, all, name) => all.length
      ? [h("h4", { text: title }), h("ul", { class: "cells" }, all.map((item, i) => value(item, name(i))))] : [];
    cells.replaceChildren(...list("Locals", v.locals, (i) => (i < v.params ? `parameter ${i}` : `local ${i}`)),
      ...list("Globals", v.globals, (i) => `global ${i}`));
    cells.hidden = !v.locals.length && !v.globals.length;
  }

  function drawMemory(v) {
    memory.hidden = !v.memory.length;
    const rows = v.memory.map((row) => h("tr", {}, h("th", { scope: "row", text: row.address }),
      row.bytes.map((byte, i) => h("td", { class: `${row.marks[i]} ${byte === "00" ? "zero" : ""}`, text: byte })),
      h("td", { class: "chars", text: row.text })));
    memory.replaceChildren(h("h4", { text: `Linear memory: ${v.pages} page${v.pages === 1 ? "" : "s"} of 64 KiB` }),
      h("table", { class: "mono", "aria-label": "Memory, 16 bytes a row" }, h("tbody", {}, rows)),
      h("p", { class: "soft keyline" }, h("span", { class: "read", text: "42" }), " read by this step ", h("span", { class: "written", text: "42" }), " written by it"));
  }

  return follow(model, root, (v) => {
    scrub.put(v.step);
    scrub.input.max = v.total;
    first.disabled = back.disabled = v.step === 0;
    on.disabled = last.disabled = v.step >= v.total;
    root.querySelector("h3").textContent = v.title;
    parts.subtitle.textContent = `${v.subtitle} · step ${v.step} of ${v.total}`;
    did.replaceChildren(h("span", { text: v.did }), v.ending ? h("strong", { class: "ending", text: ` ${v.ending}` }) : "");
    drawCode(v);
    drawSide(v);
    drawMemory(v);
    showOrigins(parts.origins, v.origins);
    say(parts, `Step ${v.step}. ${v.did} ${v.ending}`);
  });
}
