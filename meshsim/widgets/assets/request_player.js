// The player: a sequence of rows, of which only those in sight are in the page, and what is to be known of one of them.

const ROW = 26;
const MARGIN_ROWS = 8;
const HEAD_LEVELS = 6; // rows of names above the lifelines
const VISITS = 30; // of a long list, those around the cursor are in the page
const LEGEND = [
  ["wire", "on the wire"], ["callback", "callback"], ["hostcall", "host call"], ["return", "returns"],
  ["memory", "memory for the answer"], ["log", "log line"], ["pause", "held"], ["reply", "local reply"],
];
const WORDS = {
  wire: "on the wire", callback: "callback: the host calls the module", return: "the callback returns",
  hostcall: "host call: the module calls the host", memory: "the host asks the module for memory, for its answer",
  log: "the module's log line", envoy: "Envoy's own doing", pause: "the request is held", resume: "the request goes on",
  reply: "Envoy answers by itself", filter: "a filter of Envoy's own",
};
const CALLS = new Set(["callback", "return", "hostcall", "memory"]);

const shortName = (name) => name.slice(name.lastIndexOf(".") + 1).replace(/^proxy_/, "");
const microsFormat = new Intl.NumberFormat("en", { minimumFractionDigits: 2, maximumFractionDigits: 2 });
const micros = (ns) => microsFormat.format(ns / 1000);
const plain = (value) => value.startsWith('"') || /^[A-Z_]+$/.test(value);
const gaveWords = (step) => (step.gave ?? []).map(([, value]) => value).join(" ");

/** A call in a line: names where a bare number would say nothing. */
function callWords(step) {
  const inside = (step.fields ?? []).map(([name, value]) => (plain(value) ? value : `${name}=${value}`)).join(", ");
  return `${shortName(step.text)}(${inside})`;
}

/** What a row says: [strong, rest, answer]. */
function rowWords(step) {
  const answer = [step.answer, gaveWords(step)].filter(Boolean).join("  ");
  if (step.kind === "return") return ["", `${shortName(step.text)} returns`, answer];
  if (CALLS.has(step.kind)) {
    const name = shortName(step.text);
    return [name, callWords(step).slice(name.length), answer];
  }
  if (step.kind === "log") return ["", `“${step.text}”`, ""];
  return [step.text, "", answer];
}

/** For each row, which lifelines are at work: the module between a callback and its return, the host in between. */
function activity(steps) {
  let module = -1;
  return steps.map((step) => {
    if (step.kind === "callback") module = step.to;
    const now = module;
    if (step.kind === "return" || (step.kind === "callback" && step.answer === "trap")) module = -1;
    return now;
  });
}

/** Differences of two header lists: [mark, name, before, after]. */
function compareHeaders(before, after) {
  const left = after.map((pair) => [...pair]);
  const rows = before.map(([name, value]) => {
    let at = left.findIndex((pair) => pair[0] === name && pair[1] === value);
    if (at >= 0) { left.splice(at, 1); return ["", name, value, value]; }
    at = left.findIndex((pair) => pair[0] === name);
    if (at >= 0) return ["~", name, value, left.splice(at, 1)[0][1]];
    return ["−", name, value, null];
  });
  return [...rows, ...left.map(([name, value]) => ["+", name, null, value])];
}

function render({ model, el }) {
  const parts = frame(el, { name: "request_player", title: "One request", subtitle: "" });
  let view = null;
  let active = [];
  let step = model.get("step");
  let timer = 0;
  let drawn = [-1, -1, -1];

  // -- tools ---
  const requests = choice("Request", [], "", (value) => {
    stop();
    want(model, parts.root, { request: Number(value) });
  });
  const speed = choice("Speed", [["0.5", "½×"], ["1", "1×"], ["2", "2×"], ["4", "4×"]], model.get("speed"), (value) => {
    model.set("speed", value); model.save_changes(); if (timer) { stop(); start(); }
  });
  parts.tools.append(requests, speed);

  // -- transport ---
  const first = button("⏮", () => go(0), { "aria-label": "First step", title: "First step (Home)" });
  const back = button("◀", () => go(step - 1), { "aria-label": "Step back", title: "Step back (←)" });
  const play = button("▶ Play", () => (timer ? stop() : start()), { class: "primary play", title: "Play or pause (space)", "aria-pressed": "false" });
  const next = button("Step ▶", () => go(step + 1), { title: "Step (→)" });
  const last = button("⏭", () => go(Infinity), { "aria-label": "Last step", title: "Last step (End)" });
  const scrub = h("input", { type: "range", min: 0, value: 0, class: "scrub", "aria-label": "Step", oninput: () => go(Number(scrub.value)) });
  const marks = svg("svg", { class: "marks", "aria-hidden": "true", preserveAspectRatio: "none" });
  const counter = h("output", { class: "counter", "data-testid": "counter" });
  const transport = h("div", { class: "transport" }, first, back, play, next, last, h("div", { class: "scrubber" }, scrub, marks), counter);

  // -- sequence ---
  const heads = h("div", { class: "heads", "aria-hidden": "true" });
  const picture = svg("svg", { class: "picture", "aria-hidden": "true" });
  const rows = h("div", { class: "rows", role: "listbox", tabindex: 0, "aria-label": "Steps of the request" });
  const sizer = h("div", { class: "sizer" }, picture, rows);
  const scroll = h("div", { class: "scroll" }, sizer);
  const hatch = fresh("hatch");
  const legend = h("ul", { class: "legend", "aria-label": "Arrows" }, LEGEND.map(([kind, words]) => h("li", {}, swatch(kind), words)));
  const sequence = h("div", { class: "sequence" }, heads, scroll, legend);

  // -- details ---
  const chain = h("ol", { class: "chain", "aria-label": "Filters, in the order of the request" });
  const detail = h("div", { class: "detail", role: "region", "aria-label": "The step", tabindex: 0 });
  const message = h("div", { class: "message" });
  const visits = h("div", { class: "visits" });
  const real = h("div", { class: "real" });
  parts.main.append(transport, sequence, chain, h("div", { class: "panes" }, detail, message, h("div", { class: "side" }, visits, real)));

  function swatch(kind) {
    const g = svg("svg", { width: 30, height: 14, viewBox: "0 0 30 14", "aria-hidden": "true" });
    drawShape(g, kind, 3, 27, 7);
    return g;
  }

  /** One arrow, or the sign of what happens at a lifeline; kinds differ in line and shape, not in colour alone. */
  function drawShape(parent, kind, from, to, y, extra = "") {
    const way = to >= from ? 1 : -1;
    const classes = `shape ${kind} ${extra}`;
    if (kind === "log") {
      parent.append(svg("text", { class: classes, x: Math.max(from, to) - 5, y: y + 5, text: "❝" }));
    } else if (kind === "reply") {
      const x = Math.max(from, to) - 8;
      parent.append(svg("path", { class: classes, d: `M${x} ${y - 6} l6 6 l-6 6 l-6 -6 z` }));
    } else if (kind === "pause") {
      const x = Math.max(from, to) - 8;
      parent.append(svg("path", { class: classes, d: `M${x - 5} ${y - 6} h4 v12 h-4 z M${x + 2} ${y - 6} h4 v12 h-4 z` }));
    } else if (kind === "resume") {
      const x = Math.max(from, to) - 8;
      parent.append(svg("path", { class: classes, d: `M${x - 5} ${y - 6} l11 6 l-11 6 z` }));
    } else if (kind === "envoy" || kind === "filter") {
      const x = Math.max(from, to) - 8;
      parent.append(svg("circle", { class: classes, cx: x, cy: y, r: 4.5 }));
    } else {
      parent.append(svg("line", { class: `${classes} line`, x1: from, x2: to - way * 5, y1: y, y2: y }));
      const head = kind === "hostcall" || kind === "return"
        ? `M${to - way * 7} ${y - 4.5} L${to - way} ${y} L${to - way * 7} ${y + 4.5}`
        : `M${to - way * 8} ${y - 4.5} L${to - way} ${y} L${to - way * 8} ${y + 4.5} Z`;
      parent.append(svg("path", { class: `${classes} head ${kind === "hostcall" || kind === "return" ? "open" : ""}`, d: head }));
    }
  }

  // -- geometry ---
  let gutter = 74;
  function laneWidth() {
    const wide = scroll.clientWidth || 1000;
    const narrow = wide < 560;
    gutter = narrow ? 6 : Math.max(74, micros(view.steps.at(-1)?.at ?? 0).length * 7 + 20);
    parts.root.classList.toggle("narrow", narrow);
    return Math.max(24, Math.min(104, (wide * (narrow ? 0.42 : 0.47) - gutter) / view.lifelines.length));
  }
  const laneX = (i, width) => gutter + width * (i + 0.5);
  /** Where the middle of a name stands: above its lifeline, and never beyond the left edge. */
  const headX = (i, width, levels, name) => Math.max(laneX(i, width), Math.min(name.length * 7 + 18, levels * width - 4) / 2 + 2);

  function drawHeads() {
    const width = laneWidth();
    sequence.style.setProperty("--lanes", `${gutter + width * view.lifelines.length}px`);
    const widest = Math.max(...view.lifelines.map((line) => line.name.length * 7 + 18));
    const levels = Math.max(1, Math.min(HEAD_LEVELS, Math.ceil(widest / width)));
    heads.style.height = `${10 + 24 * levels}px`;
    heads.replaceChildren(h("span", { class: "unit", text: "µs" }, h("span", { class: "origin profile", text: "◇" })),
      ...view.lifelines.map((line, i) =>
        h("span", { class: `lane ${line.role}`, style: `left:${headX(i, width, levels, line.name)}px;top:${5 + 24 * (i % levels)}px;max-width:${levels * width - 4}px`, text: line.name, title: `${line.name} (${line.role})` })));
  }

  /** Put the rows in sight into the page, if they are not there. */
  function drawRows(force = false) {
    const from = Math.max(0, Math.floor(scroll.scrollTop / ROW) - MARGIN_ROWS);
    const to = Math.min(view.steps.length, Math.ceil((scroll.scrollTop + scroll.clientHeight) / ROW) + MARGIN_ROWS);
    if (!force && drawn[0] === from && drawn[1] === to && drawn[2] === step) return;
    drawn = [from, to, step];
    const width = laneWidth();
    const total = gutter + width * view.lifelines.length;
    picture.setAttribute("width", total);
    picture.setAttribute("height", (to - from) * ROW);
    picture.style.top = rows.style.top = `${from * ROW}px`;
    const marksOf = svg("g", {});
    const bottom = (to - from) * ROW;
    const defs = svg("defs", {}, svg("pattern", { id: hatch, width: 6, height: 6, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" },
      svg("rect", { width: 6, height: 6, class: "hatch-ground" }), svg("rect", { width: 2.5, height: 6, class: "hatch-line" })));
    for (let i = 0; i < view.lifelines.length; i++)
      marksOf.append(svg("line", { class: "life", x1: laneX(i, width), x2: laneX(i, width), y1: 0, y2: bottom }));
    const items = [];
    for (let i = from; i < to; i++) {
      const s = view.steps[i];
      const top = (i - from) * ROW;
      if (i === step) marksOf.prepend(svg("rect", { class: "cursor", x: 0, y: top, width: total, height: ROW }));
      if (s.paused) marksOf.append(svg("rect", { class: "held", fill: `url(#${hatch})`, x: laneX(s.host ?? 1, width) - 5, y: top, width: 10, height: ROW }));
      if (active[i] >= 0) marksOf.append(svg("rect", { class: "busy", x: laneX(active[i], width) - 4, y: top, width: 8, height: ROW }));
    }
    for (let i = from; i < to; i++) {
      const s = view.steps[i];
      const y = (i - from) * ROW + ROW / 2;
      const answers = s.kind === "wire" && /^\d+$/.test(s.text);
      drawShape(marksOf, s.kind, laneX(s.from, width), laneX(s.to, width) + (s.from === s.to ? 20 : 0), y,
        `${answers ? "answer" : ""} ${i > step ? "future" : ""}`);
      marksOf.append(svg("text", { class: `time ${i > step ? "future" : ""}`, x: gutter - 14, y: y + 4, text: micros(s.at) }));
      const [strong, rest, answer] = rowWords(s);
      items.push(h("div", {
        class: `row ${s.kind} ${i > step ? "future" : ""}`, role: "option", id: `${hatch}-${i}`, "aria-selected": i === step ? "true" : "false",
        "aria-posinset": i + 1, "aria-setsize": view.steps.length, onclick: () => { stop(); go(i); },
        "aria-label": `${view.lifelines[s.from].name} to ${view.lifelines[s.to].name}: ${strong}${rest} ${answer}`,
      }, h("span", { class: "what" }, strong && h("b", { text: strong }), rest), answer && h("span", { class: "answer", text: `→ ${answer}` }),
        s.same === undefined ? null : h("span", { class: `same ${s.same ? "good" : "bad"}`, title: s.same ? "the same in the real Envoy" : "not so in the real Envoy", text: s.same ? "▲" : "≠" })));
    }
    picture.replaceChildren(defs, marksOf);
    rows.replaceChildren(...items);
    rows.setAttribute("aria-activedescendant", `${hatch}-${step}`);
  }

  // -- what is to be known of the step ---
  function fieldsTable(caption, fields) {
    if (!fields?.length) return null;
    return h("table", { class: "fields" }, h("caption", { text: caption }),
      h("tbody", {}, fields.map(([name, value]) => h("tr", {}, h("th", { scope: "row", text: name }), h("td", { class: "mono", text: value })))));
  }

  function drawDetail(s) {
    const from = view.lifelines[s.from].name;
    const to = view.lifelines[s.to].name;
    const wire = s.kind === "wire";
    detail.replaceChildren(...[
      h("h4", {}, `Step ${step + 1}: `, from === to ? from : `${from} → ${to}`),
      h("p", { class: "soft", text: WORDS[s.kind] ?? s.kind }),
      h("p", { class: "mono name", text: CALLS.has(s.kind) ? s.text : s.kind === "log" ? `“${s.text}”` : s.text }),
      view.meanings[s.text] && s.kind !== "return" ? h("p", { text: view.meanings[s.text] }) : null,
      wire ? null : fieldsTable(CALLS.has(s.kind) ? "arguments" : "more", s.fields),
      s.answer ? h("p", { class: "answered" }, "answer ", h("b", { class: "mono", "data-testid": "answer", text: s.answer })) : null,
      fieldsTable("the module gets", s.gave),
      fieldsTable("the whole call", s.about),
      s.lines ? h("div", { class: "trace" }, h("p", { class: "soft", text: "in Envoy's trace" }),
        s.lines.map((line) => h("p", { class: "mono" }, view.trace[line])),
        s.same === undefined ? null : h("p", { class: s.same ? "good" : "bad" }, s.same ? "▲ the real Envoy writes the same" : "≠ the real Envoy does not write this")) : null,
    ].filter(Boolean));
  }

  /** The message, as the filter at the cursor got it and as it is now. */
  function drawMessage(s) {
    const visit = view.visits[s.visit];
    const way = visit ? visit.piece.split(" ")[0] : s.response !== undefined ? "response" : "request";
    const now = view.messages[s[way]];
    message.replaceChildren();
    if (!view.messages.length) return;
    if (!now) { message.append(h("h4", { text: "Headers and body" }), h("p", { class: "soft", text: "nothing yet" })); return; }
    const origin = baseline(s, way);
    const differences = compareHeaders(origin?.headers ?? now.headers, now.headers);
    const heading = visit ? `The ${way}: before ${visit.filter}, and now` : s.paused ? `The ${way}: before ${s.paused}, and now` : `The ${way} now`;
    const body = (m) => (m && m.size ? `${m.size} B: ${JSON.stringify(m.body.slice(0, 160))}` : "—");
    const words = { "+": "added", "−": "removed", "~": "changed", "": "" };
    message.append(h("h4", { text: heading }), h("div", { class: "tablescroll", tabindex: 0, role: "region", "aria-label": heading }, h("table", { class: "headers" },
      h("thead", {}, h("tr", {}, h("th", { scope: "col" }, h("span", { class: "spoken", text: "change" })), h("th", { scope: "col", text: "name" }), h("th", { scope: "col", text: "value" }))),
      h("tbody", {}, differences.map(([mark, name, old, fresh_]) =>
        h("tr", { class: { "+": "added", "−": "removed", "~": "changed", "": "" }[mark] },
          h("td", { class: "mark", title: words[mark] }, mark, mark && h("span", { class: "spoken", text: words[mark] })),
          h("th", { scope: "row", class: "mono", text: name }),
          h("td", { class: "mono" }, mark === "~" ? [h("s", { text: old }), " ", fresh_] : mark === "−" ? h("s", { text: old }) : fresh_))),
      h("tr", { class: origin && origin.body !== now.body ? "changed" : "" }, h("td", { class: "mark", text: origin && origin.body !== now.body ? "~" : "" }),
        h("th", { scope: "row", text: "body" }), h("td", { class: "mono", text: body(now) }))))));
  }

  /** What a message is compared with: how the filter got it that has or holds it, else how it was a step before. */
  function baseline(s, way) {
    const held = s.visit ?? view.visits.findLastIndex((v, i) => v.filter === s.paused && v.piece.startsWith(way) && firstStep(i) < step);
    if (held >= 0) return view.messages[view.visits[held].before];
    return view.messages[view.steps[step - 1]?.[way]] ?? null;
  }

  function drawChain(s) {
    const names = view.filters;
    const at = view.visits[s.visit]?.filter ?? (CALLS.has(s.kind) ? view.lifelines[Math.max(s.from, s.to)].name : "");
    const state = (name) => {
      if (s.paused?.split(" and ").includes(name)) return ["holding", "⏸ holds it"];
      if (name === at) return ["inside", "● at work"];
      return firstSeen.get(name) <= step ? ["seen", "✓ seen"] : ["waiting", ""];
    };
    chain.replaceChildren(...names.map((name) => {
      const [kind, words] = name === "router" ? ["plain", ""] : state(name);
      return h("li", { class: kind }, h("b", { text: name }), words && h("span", { text: words }));
    }));
  }

  let starts = []; // the first step of each visit
  let firstSeen = new Map(); // the first step of each filter
  let told = []; // visits that the list tells of
  const firstStep = (visit) => starts[visit] ?? Infinity;

  function drawVisits(s) {
    visits.replaceChildren();
    if (!view.visits.length) return;
    const here = told.findIndex(([, i]) => i >= (s.visit ?? Infinity));
    const begin = Math.max(0, Math.min((here < 0 ? 0 : here) - VISITS / 2, told.length - VISITS));
    const list = told.slice(begin, begin + VISITS);
    visits.replaceChildren(h("h4", { text: "Filter by filter" }),
      h("div", { class: "tablescroll", tabindex: 0, role: "region", "aria-label": "Filter by filter" }, h("ol", {}, list.map(([visit, i]) => {
        const [before, after] = [view.messages[visit.before], view.messages[visit.after] ?? view.messages[visit.before]];
        const diff = compareHeaders(before.headers, after.headers).filter(([mark]) => mark);
        const sums = diff.map(([mark, name]) => `${mark}${name}`).concat(before.body !== after.body ? [`~body ${before.size} → ${after.size} B`] : []);
        const held = visit.action && visit.action !== "CONTINUE";
        const words = [h("b", { text: visit.filter }), ` ${visit.piece} `, h("span", { class: held ? "heldword" : "soft", text: held ? `⏸ ${visit.action}` : "▸" }),
          h("span", { class: "mono sums", text: sums.length ? ` ${sums.join(" ")}` : "" })];
        const target = starts[i];
        return h("li", { class: i === s.visit ? "here" : "" }, target === undefined ? words : h("button", { type: "button", class: "link", onclick: () => { stop(); go(target); } }, words));
      }))));
  }

  function drawReal() {
    const r = view.real;
    if (!r) { real.replaceChildren(...(view.note ? [h("p", { class: "soft", "data-testid": "note", text: view.note })] : [])); return; }
    const wanted = model.get("real") === "wanted";
    const ask = button(r.known && r.live ? "Run it again" : "Run it in the real Envoy", () => {
      ask.disabled = true;
      want(model, parts.root, { real: "wanted" });
    }, { class: "ask", disabled: wanted });
    real.replaceChildren(...[h("h4", {}, h("span", { class: "origin envoy", text: "▲ " }), "The real Envoy"),
      h("p", {}, r.known ? h("b", { class: r.identical ? "good" : "bad", text: r.identical ? `✓ ${r.verdict}` : `≠ ${r.verdict}` }) : r.words),
      r.known ? h("p", { class: "soft", text: r.words }) : null,
      r.only?.length ? h("details", {}, h("summary", { text: `${r.only.length} lines only there` }), h("pre", { class: "mono", tabindex: 0, text: r.only.join("\n") })) : null,
      ask].filter(Boolean));
  }

  // -- going about ---
  function go(to, follow_ = true) {
    const target = Math.max(0, Math.min(view.steps.length - 1, to));
    if (target !== step) {
      step = target;
      model.set("step", step);
      model.save_changes();
    }
    draw(follow_);
  }

  function draw(follow_) {
    const s = view.steps[step];
    scrub.value = step;
    scrub.setAttribute("aria-valuetext", `${step + 1} of ${view.steps.length}: ${rowWords(s).slice(0, 2).join("")}`);
    counter.textContent = `${step + 1} / ${view.steps.length}`;
    parts.root.dataset.step = step;
    first.disabled = back.disabled = step === 0;
    next.disabled = last.disabled = step === view.steps.length - 1;
    if (follow_) {
      const top = step * ROW;
      if (top < scroll.scrollTop + 2 * ROW) scroll.scrollTop = Math.max(0, top - 4 * ROW);
      else if (top > scroll.scrollTop + scroll.clientHeight - 3 * ROW) scroll.scrollTop = top - scroll.clientHeight + 6 * ROW;
    }
    drawRows();
    drawDetail(s);
    drawMessage(s);
    drawChain(s);
    drawVisits(s);
    if (!timer) say(parts, `Step ${step + 1}: ${rowWords(s).join(" ")}`);
  }

  function start() {
    if (step >= view.steps.length - 1) go(0);
    play.textContent = "❚❚ Pause";
    play.setAttribute("aria-pressed", "true");
    timer = setInterval(() => (step >= view.steps.length - 1 ? stop() : go(step + 1)), 800 / Number(model.get("speed")));
    tellPlaying(true);
  }
  function stop() {
    if (!timer) return;
    clearInterval(timer);
    timer = 0;
    play.textContent = "▶ Play";
    play.setAttribute("aria-pressed", "false");
    tellPlaying(false);
  }
  function tellPlaying(value) {
    if (model.get("playing") !== value) { model.set("playing", value); model.save_changes(); }
  }

  function drawView(next_) {
    const changed = view !== next_;
    view = next_;
    if (changed) {
      active = activity(view.steps);
      starts = [];
      view.steps.forEach((s, i) => { if (s.visit !== undefined) starts[s.visit] ??= i; });
      firstSeen = new Map();
      view.visits.forEach((visit, i) => { if (starts[i] !== undefined && !(firstSeen.get(visit.filter) <= starts[i])) firstSeen.set(visit.filter, starts[i]); });
      told = view.visits.map((visit, i) => [visit, i]).filter(([visit, i]) => starts[i] !== undefined || visit.before !== visit.after);
      parts.root.querySelector("h3").textContent = `One request: ${view.title}`;
      parts.subtitle.textContent = view.subtitle;
      requests.input.replaceChildren(...view.choices.map(([number, words]) => h("option", { value: String(number), text: words })));
      scrub.max = view.steps.length - 1;
      sizer.style.height = `${view.steps.length * ROW}px`;
      scroll.style.height = `${Math.min(15, view.steps.length) * ROW}px`;
      drawMarks();
      drawHeads();
      drawReal();
      showOrigins(parts.origins, view.origins);
      drawn = [-1, -1, -1];
    }
    requests.put(String(model.get("request")));
    speed.put(model.get("speed"));
    step = Math.max(0, Math.min(view.steps.length - 1, model.get("step")));
    draw(true);
    if (model.get("playing") !== Boolean(timer)) (timer ? stop : start)();
  }

  /** Beneath the scrubber: where the request is held, leaves for an upstream, or is answered by Envoy itself. */
  function drawMarks() {
    const count = view.steps.length;
    marks.setAttribute("viewBox", `0 0 ${Math.max(1, count - 1)} 10`);
    const stretches = [];
    view.steps.forEach((s, i) => {
      const open = stretches.at(-1);
      if (s.paused && open && open[1] === i - 1) open[1] = i;
      else if (s.paused) stretches.push([i, i]);
    });
    marks.replaceChildren(...stretches.map(([a, b]) => svg("rect", { class: "held-mark", x: a, y: 2, width: Math.max(0.6, b - a), height: 5 })),
      ...view.steps.flatMap((s, i) => (s.kind === "reply" ? [svg("rect", { class: "reply-mark", x: i - 0.25, y: 0, width: 0.5, height: 10 })] : [])));
  }

  scroll.addEventListener("scroll", () => drawRows(), { passive: true });
  const resized = new ResizeObserver(() => { if (view) { drawHeads(); drawRows(true); } });
  resized.observe(scroll);
  keys(parts.root, {
    ArrowRight: () => { stop(); go(step + 1); }, ArrowDown: () => { stop(); go(step + 1); },
    ArrowLeft: () => { stop(); go(step - 1); }, ArrowUp: () => { stop(); go(step - 1); },
    PageDown: () => { stop(); go(step + 10); }, PageUp: () => { stop(); go(step - 10); },
    Home: () => { stop(); go(0); }, End: () => { stop(); go(Infinity); },
    " ": (event) => { if (event.target.closest("button")) event.target.click(); else if (timer) stop(); else start(); },
  });
  const end = follow(model, parts.root, drawView, ["view", "step", "playing", "speed", "request"]);
  return () => { clearInterval(timer); resized.disconnect(); end(); };
}
