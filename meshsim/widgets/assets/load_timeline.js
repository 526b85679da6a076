// The loading timeline: tracks with bars, a playhead over the steps, counters, and the details of one bar.

const GUTTER = 92, RIGHT = 2, TOP = 8, LANE = 40, BAR = 28, COUNTER = 46, AXIS = 26;

function render({ model, el }) {
  const parts = frame(el, { name: "load_timeline", title: model.get("view").title });
  const { root } = parts;
  const state = { scale: "steps", from: 0, to: 1, playing: 0 }; // from, to: the part that is seen, of the whole 1
  const ids = fresh("bar");
  const view = () => model.get("view");
  const bars = () => view().bars;

  // --- what the user wants ---
  const put = (traits) => { for (const [k, v] of Object.entries(traits)) model.set(k, v); model.save_changes(); };
  const rerun = (traits) => { pause(); want(model, root, traits); };
  const select = (i, step) => {
    if (!bars().length) return;
    const selected = Math.max(0, Math.min(bars().length - 1, i));
    put(step === undefined ? { selected } : { selected, step });
  };
  const goTo = (step) => { const s = Math.max(0, Math.min(bars().length, step)); select(Math.max(0, s - 1), s); };
  const pause = () => { clearInterval(state.playing); state.playing = 0; showPlaying(); };
  const play = () => {
    if (model.get("step") >= bars().length) goTo(0);
    state.playing = setInterval(() => {
      if (model.get("step") >= bars().length) pause(); else goTo(model.get("step") + 1);
    }, 650);
    showPlaying();
  };
  const toggle_play = () => (state.playing ? pause() : play());
  /** Zoom around a place of what is seen: where the selected bar is, if it is seen. */
  const zoom = (factor, around = chosenPlace()) => {
    const width = Math.min(1, Math.max(1e-4, (state.to - state.from) * factor));
    const middle = state.from + (state.to - state.from) * around;
    move(middle - width * around, width);
  };
  const chosenPlace = () => {
    const bar = bars()[model.get("selected")];
    const at = bar ? ((edges(bar)[0] + edges(bar)[1]) / 2 / span() - state.from) / (state.to - state.from) : -1;
    return at >= 0 && at <= 1 ? at : 0.5;
  };
  const move = (from, width = state.to - state.from) => {
    state.from = Math.max(0, Math.min(1 - width, from));
    state.to = state.from + width;
    drawChart();
  };

  // --- tools ---
  const limits = model.get("limits");
  const tools = {
    workers: slider("Workers N", { min: 1, max: limits.workers, value: model.get("workers"), onpick: (workers) => rerun({ workers }) }),
    plugins: slider("Plugins P", { min: 1, max: limits.plugins, value: model.get("plugins"), onpick: (plugins) => rerun({ plugins }) }),
    own_vms: choice("VMs", [["shared", "one for all"], ["own", "one each"]], "shared", (v) => rerun({ own_vms: v === "own" })),
    fault: choice("Module", view().faults, model.get("fault"), (fault) => rerun({ fault })),
  };
  parts.tools.append(...Object.values(tools));

  // --- transport ---
  const playButton = button("", toggle_play, { class: "primary play", "data-testid": "play" });
  const showPlaying = () => {
    playButton.textContent = state.playing ? "❚❚ Pause" : "▶ Play";
    playButton.setAttribute("aria-label", state.playing ? "Pause" : "Play the steps");
  };
  showPlaying();
  const scrub = h("input", { type: "range", min: 0, step: 1, class: "scrub", "aria-label": "Steps that have happened",
    "data-testid": "scrub", oninput: () => { pause(); goTo(Number(scrub.value)); } });
  const shown = h("span", { class: "shown", "aria-hidden": "true" });
  const scales = [["steps", "Step by step"], ["time", "To scale"]].map(([key, words]) =>
    button(words, () => { state.scale = key; state.from = 0; state.to = 1; drawChart(); }, { "data-scale": key }));
  const transport = h("div", { class: "transport", role: "group", "aria-label": "Steps and zoom" },
    playButton,
    button("◀", () => { pause(); goTo(model.get("step") - 1); }, { "aria-label": "One step back", "data-testid": "back" }),
    button("▶", () => { pause(); goTo(model.get("step") + 1); }, { "aria-label": "One step on", "data-testid": "on" }),
    scrub, shown,
    h("span", { class: "group", role: "group", "aria-label": "Scale" }, scales),
    h("span", { class: "group", role: "group", "aria-label": "Zoom" },
      button("−", () => zoom(2), { "aria-label": "Zoom out" }),
      button("+", () => zoom(0.5), { "aria-label": "Zoom in", "data-testid": "zoom-in" }),
      button("Fit", () => { move(0, 1); }, { "aria-label": "Show all" })));

  // --- the chart ---
  const chart = h("div", { class: "chart", role: "listbox", tabindex: 0, "data-testid": "chart",
    "aria-label": "Steps of loading, thread by thread. Arrow keys go from step to step, plus and minus zoom, space plays." });
  const strip = h("div", { class: "strip", "aria-hidden": "true" });
  const hint = h("p", { class: "hint soft", "aria-hidden": "true" }, // the chart's label says it to a screen reader
    [["← →", "along a thread"], ["↑ ↓", "to another"], ["+ −", "zoom"], ["space", "play"]].map(([key, words]) =>
      h("span", {}, h("kbd", { text: key }), ` ${words}`)));
  const legend = h("div", { class: "legend", "aria-hidden": "true" });
  const refused = h("p", { class: "refused", role: "alert" });
  const tiles = h("div", { class: "tiles" });
  const details = h("div", { class: "details", "data-testid": "details" });
  parts.main.append(refused, transport, legend, chart, strip, hint, h("div", { class: "below" }, tiles, details));

  const span = () => (state.scale === "steps" ? view().columns : view().end_ns * 1.01 || 1);
  const edges = (bar) => (state.scale === "steps" ? [bar.c + 0.02, bar.c + 0.98] : [bar.s, bar.e]);

  function drawChart() {
    const { tracks, kinds } = view();
    const width = Math.max(280, chart.clientWidth || 900);
    const height = TOP + tracks.length * LANE;
    const seen = [Math.floor((chart.scrollTop - TOP) / LANE) - 1, Math.ceil((chart.scrollTop + (chart.clientHeight || 600)) / LANE) + 1];
    const isSeen = (track) => track >= seen[0] && track <= seen[1];
    const x = (at) => GUTTER + ((at / span() - state.from) / (state.to - state.from)) * (width - GUTTER - RIGHT);
    const hatch = `${ids}-hatch`, clip = `${ids}-clip`;
    const picture = svg("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "presentation" },
      svg("defs", {},
        svg("pattern", { id: hatch, width: 7, height: 7, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" },
          svg("line", { x1: 0, x2: 0, y1: 0, y2: 7, class: "hatch" })),
        svg("clipPath", { id: clip }, svg("rect", { x: GUTTER, y: 0, width: width - GUTTER - RIGHT, height }))),
      tracks.map((track, i) => isSeen(i) && [
        svg("rect", { class: "lane", x: GUTTER, y: TOP + i * LANE + 2, width: width - GUTTER - RIGHT, height: LANE - 4, rx: 5 }),
        svg("text", { class: "track", x: GUTTER - 10, y: TOP + (i + 0.5) * LANE + 4.5, "text-anchor": "end", text: track.name })]),
      ticks(x).map(([at]) => svg("line", { class: "grid", x1: at, x2: at, y1: TOP, y2: height })),
      svg("g", { "clip-path": `url(#${clip})` }, drawBars(x, kinds, hatch, isSeen)));
    chart.replaceChildren(picture);
    drawStrip(x, width);
    const chosen = `${ids}-${model.get("selected")}`;
    if (picture.querySelector(`#${chosen}`)) chart.setAttribute("aria-activedescendant", chosen);
    else chart.removeAttribute("aria-activedescendant");
    for (const each of scales) each.setAttribute("aria-pressed", String(each.dataset.scale === state.scale));
  }

  /** Beneath the tracks, always in sight: how many VMs there are, and the axis. */
  function drawStrip(x, width) {
    const height = COUNTER + (state.scale === "time" ? AXIS : 4), clip = `${ids}-strip`;
    strip.replaceChildren(svg("svg", { width, height, viewBox: `0 0 ${width} ${height}` },
      svg("defs", {}, svg("clipPath", { id: clip }, svg("rect", { x: GUTTER, y: 0, width: width - GUTTER - RIGHT, height }))),
      svg("text", { class: "track soft", x: GUTTER - 10, y: COUNTER - 10, "text-anchor": "end", text: "VMs active" }),
      svg("g", { "clip-path": `url(#${clip})` }, counter(x, 0)),
      ticks(x).map(([at, words]) => [
        svg("line", { class: "grid", x1: at, x2: at, y1: 0, y2: COUNTER }),
        svg("text", { class: "tick", x: at, y: COUNTER + 17, "text-anchor": "middle", text: words })])));
  }

  /** Bars that are seen; of neighbours that are too thin to be told apart only the first is drawn. */
  function drawBars(x, kinds, hatch, isSeen) {
    const selected = model.get("selected"), step = model.get("step");
    const drawnTo = [];
    const groups = [];
    bars().forEach((bar, i) => {
      if (!isSeen(bar.t)) return;
      const [from, to] = edges(bar);
      const left = x(from), width = Math.max(3, x(to) - left);
      const thin = width <= 3 && left < (drawnTo[bar.t] ?? -9) + 3;
      if (i !== selected && !bar.bad && (thin || left + width < GUTTER || left > x(span() * state.to))) return;
      drawnTo[bar.t] = left;
      groups.push([i === selected, drawBar(bar, i, kinds[bar.k], left, width, i === selected, i >= step, hatch)]);
    });
    return groups.sort((a, b) => a[0] - b[0]).map((group) => group[1]);
  }

  function drawBar(bar, i, kind, left, width, selected, ghost, hatch) {
    const y = TOP + bar.t * LANE + (LANE - BAR) / 2;
    const fill = bar.bad ? "vermillion" : kind.fill;
    const mark = bar.bad ? "✗" : kind.shape;
    const words = [`${mark} ${kind.label}`, kind.label, mark].find((text) => text.length * 6.8 + 5 < width);
    const box = { x: left, y, width, height: BAR, rx: Math.min(5, width / 2) };
    return svg("g", { id: `${ids}-${i}`, class: `bar${ghost ? " ghost" : ""}${selected ? " selected" : ""}`, role: "option",
      "aria-selected": String(selected), "aria-label": spoken(bar), "data-kind": bar.k, "data-index": i,
      onclick: () => { pause(); select(i); chart.focus(); } },
      width > 3 && svg("title", { text: spoken(bar) }),
      svg("rect", { ...box, style: `fill: var(--${fill})` }),
      (bar.k === "canary" || bar.k === "background") && svg("rect", { ...box, fill: `url(#${hatch})` }),
      selected && svg("rect", { class: "ring", x: left - 3, y: y - 3, width: width + 6, height: BAR + 6, rx: 7 }),
      words && svg("text", { x: left + width / 2, y: y + BAR / 2 + 4.5, "text-anchor": "middle",
        class: bar.k === "canary" || bar.k === "background" ? "halo" : "", style: `fill: var(--on-${fill}); --fill: var(--${fill})`, text: words }));
  }

  const spoken = (bar) =>
    `${view().tracks[bar.t].name}: ${view().about[`${bar.k}:${bar.v}`].title}${bar.p ? `, plugin ${bar.p}` : ""}${bar.took ? `, ${bar.took.text}` : ""}${bar.bad ? ", failed" : ""}`;

  /** How many VMs are active, as they come. */
  function counter(x, top) {
    const points = [];
    const step = model.get("step");
    bars().forEach((bar, i) => {
      if (bar.k === "background" || i >= step) return;
      const at = edges(bar)[0];
      if (points.length && points.at(-1).at === at) points.at(-1).n = bar.n[0];
      else if (!points.length || points.at(-1).n !== bar.n[0]) points.push({ at, n: bar.n[0] });
    });
    const most = Math.max(1, ...bars().map((bar) => bar.n[0]));
    const floor = top + COUNTER - 6;
    const y = (n) => floor - (n / most) * (COUNTER - 22);
    const ends = step ? x(edges(bars()[step - 1])[1]) : GUTTER;
    let line = "";
    points.forEach((p, i) => {
      line += `${i ? "V" : `M${x(p.at)} ${floor} V`}${y(p.n)} H${i + 1 < points.length ? x(points[i + 1].at) : ends} `;
    });
    let free = -Infinity;
    const labels = points.map((p) => {
      if (x(p.at) < free) return null;
      free = x(p.at) + 14;
      return svg("text", { class: "count", x: x(p.at) + 2, y: y(p.n) - 4, text: p.n });
    });
    return [points.length && svg("path", { class: "area", d: `${line} V${floor} Z` }), points.length && svg("path", { class: "line", d: line }), labels];
  }

  /** Where the axis has its marks, and their words: about eight, at round times. */
  function ticks(x) {
    if (state.scale === "steps") return [];
    const seen = span() * (state.to - state.from);
    let size = 1;
    for (let power = 0; seen / size > 8; power++) size = [1, 2, 5][power % 3] * 10 ** Math.floor(power / 3);
    const marks = [];
    for (let at = Math.ceil((span() * state.from) / size) * size; at <= span() * state.to; at += size)
      marks.push([x(at), at ? duration(at) : "0"]);
    return marks;
  }

  // --- beneath the chart ---
  const formulaOf = (row, holds) => [
    h("div", { class: "formula soft", text: row.formula }),
    h("div", { class: `formula ${holds ? "good" : "soft"}`, text: `${row.filled}${holds ? " ✓" : ""}` })];

  function drawTiles() {
    const { formula } = view();
    const step = model.get("step");
    const counts = step ? bars()[step - 1].n : [0, 0, 0];
    const all = step >= bars().length;
    tiles.replaceChildren(...formula.map((row, i) =>
      h("div", { class: "tile" },
        h("div", { class: "big", "data-testid": `count-${row.name}` }, num({ ...row.counted, text: String(counts[i]) })),
        h("div", { class: "words", text: row.words }),
        ...(model.get("formulas") ? formulaOf(row, all && row.holds) : []))));
  }

  function drawDetails() {
    const bar = bars()[model.get("selected")];
    if (!bar) { details.replaceChildren(h("p", { class: "soft", text: "There is no Wasm plugin in this bootstrap." })); return; }
    const about = view().about[`${bar.k}:${bar.v}`];
    const kind = view().kinds[bar.k];
    const facts = [...(bar.took ? [["took", bar.took]] : []), ["VM", { text: view().vms[bar.v] }], ...(bar.p ? [["plugin", { text: bar.p }]] : []), ...(about.facts ?? [])];
    details.replaceChildren(...[
      h("h4", {}, h("span", { class: "swatch", style: `background: var(--${bar.bad ? "vermillion" : kind.fill}); color: var(--on-${bar.bad ? "vermillion" : kind.fill})`, text: bar.bad ? "✗" : kind.shape, "aria-hidden": "true" }),
        about.title, h("span", { class: "soft where", text: ` on ${view().tracks[bar.t].name}` })),
      h("p", { text: about.meaning }),
      h("dl", {}, facts.map(([name, value]) => h("div", {}, h("dt", { text: name }), h("dd", {}, value.mark ? num(value) : value.text)))),
      about.rows?.length ? list("Functions", about.rows.map(functionRow)) : null,
      bar.calls.length ? list("Calls into the module", bar.calls.map(callRow)) : null,
      about.note ? h("p", { class: "soft note", text: about.note }) : null,
    ].filter(Boolean));
  }
  const list = (label, rows) =>
    h("div", { class: "rows", role: "region", tabindex: 0, "aria-label": label }, h("table", {}, h("tbody", {}, rows)));
  const STATES = { true: ["✓", "good", "linked or found"], false: ["✗", "bad", "wrong"], null: ["–", "soft", "absent"] };
  const functionRow = (row) => {
    const [mark, look, words] = STATES[String(row.ok)];
    return h("tr", { class: row.ok === false ? "wrong" : row.ok === null ? "absent" : "" },
      h("td", { class: look }, h("span", { role: "img", "aria-label": words, text: mark })),
      h("td", {}, h("div", { class: "mono name", text: row.name }), h("div", { class: row.ok === false ? "bad" : "soft", text: row.words })),
      h("td", { class: "mono type soft", text: row.type }));
  };
  const callRow = (call) => h("tr", {},
    h("td", { class: "soft at", text: `+${call.at}` }), h("td", { class: "mono", text: call.text }), h("td", { class: "mono", text: call.answer }));

  const drawLegend = () => {
    const { kinds } = view();
    const base = { ...kinds.init, shape: "◆◇◈●", label: "base VM: ABI, instance, look-up, init" };
    legend.replaceChildren(...[kinds.isolate, kinds.compile, base, kinds.canary, kinds.clone, kinds.start].map((kind) =>
      h("span", { class: "key" }, h("span", { class: "swatch", style: `background: var(--${kind.fill}); color: var(--on-${kind.fill})`, text: kind.shape }), kind.label)));
  };

  function drawState() {
    const n = bars().length, step = model.get("step");
    scrub.max = n;
    scrub.value = step;
    scrub.setAttribute("aria-valuetext", step ? `${step} of ${n}: ${spoken(bars()[step - 1])}` : `0 of ${n}`);
    shown.textContent = `${step} / ${n}`;
    reveal(); drawChart(); drawTiles(); drawDetails();
    const bar = bars()[model.get("selected")];
    if (bar) say(parts, spoken(bar));
  }

  function draw(v) {
    parts.subtitle.textContent = v.subtitle;
    tools.workers.put(model.get("workers"));
    tools.plugins.put(model.get("plugins"));
    tools.own_vms.put(model.get("own_vms") ? "own" : "shared");
    tools.fault.put(model.get("fault"));
    refused.hidden = !v.refused;
    refused.replaceChildren(...(v.refused ? [h("strong", { text: `✗ Envoy does not start: ${v.refused.what}. ` }), v.refused.why] : []));
    showOrigins(parts.origins, v.origins);
    state.from = 0; state.to = 1;
    drawLegend(); drawState();
  }

  // --- hands: keys, wheel, drag ---
  const along = (way) => {
    const i = model.get("selected"), track = bars()[i]?.t;
    for (let j = i + way; j >= 0 && j < bars().length; j += way) if (bars()[j].t === track) return select(j);
  };
  const across = (way) => {
    const bar = bars()[model.get("selected")];
    if (!bar) return;
    const far = (other) => Math.abs(edges(other)[0] - edges(bar)[0]);
    for (let t = bar.t + way; t >= 0 && t < view().tracks.length; t += way) {
      const there = bars().map((other, i) => [other, i]).filter(([other]) => other.t === t);
      if (there.length) return select(there.reduce((a, b) => (far(b[0]) < far(a[0]) ? b : a))[1]);
    }
  };
  keys(chart, {
    ArrowRight: () => along(1), ArrowLeft: () => along(-1), ArrowDown: () => across(1), ArrowUp: () => across(-1),
    Home: () => select(0), End: () => select(bars().length - 1), " ": toggle_play,
    "+": () => zoom(0.5), "=": () => zoom(0.5), "-": () => zoom(2), "0": () => move(0, 1),
    PageUp: () => move(state.from - 0.5 * (state.to - state.from)), PageDown: () => move(state.from + 0.5 * (state.to - state.from)),
  });
  const place = (event) => {
    const box = chart.getBoundingClientRect();
    return Math.min(1, Math.max(0, (event.clientX - box.left - GUTTER) / (box.width - GUTTER - RIGHT)));
  };
  chart.addEventListener("wheel", (event) => {
    if (!event.ctrlKey && !event.metaKey) return; // the page scrolls
    event.preventDefault();
    zoom(event.deltaY > 0 ? 1.25 : 0.8, place(event));
  }, { passive: false });
  chart.addEventListener("pointerdown", (event) => {
    const began = place(event), from = state.from, width = state.to - state.from;
    const drag = (moved) => { if (width < 1) move(from - (place(moved) - began) * width, width); };
    const drop = () => { window.removeEventListener("pointermove", drag); window.removeEventListener("pointerup", drop); };
    window.addEventListener("pointermove", drag);
    window.addEventListener("pointerup", drop);
  });

  /** Bring the selected bar into sight. */
  function reveal() {
    const bar = bars()[model.get("selected")];
    if (!bar) return;
    const top = TOP + bar.t * LANE, [from, to] = edges(bar).map((at) => at / span());
    if (top < chart.scrollTop) chart.scrollTop = top - LANE;
    else if (top + LANE > chart.scrollTop + chart.clientHeight) chart.scrollTop = top + 2 * LANE - chart.clientHeight;
    const width = state.to - state.from;
    if (to < state.from || from > state.to) { state.from = Math.max(0, Math.min(1 - width, (from + to - width) / 2)); state.to = state.from + width; }
  }
  chart.addEventListener("scroll", () => drawChart(), { passive: true });

  const resized = new ResizeObserver(() => drawChart());
  const stopView = follow(model, root, draw);
  const stopState = follow(model, root, drawState, ["selected", "step", "formulas"]);
  resized.observe(chart);
  return () => { pause(); resized.disconnect(); stopView(); stopState(); };
}
