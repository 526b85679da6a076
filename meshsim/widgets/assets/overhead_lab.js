// The overhead lab: bars from arithmetic, drawn as the hand moves; curves from a simulation, drawn when it rests.

const RESTING_MS = 140;
const REFINING_MS = 350;
const ENGINE_COLOURS = { native: "grey", lua: "orange", wasm: "blue" };
const ENGINE_NAMES = { native: "native", lua: "Lua", wasm: "Wasm" };

const shortCount = (n) => (n >= 1e6 ? `${n / 1e6}M` : n >= 1e3 ? `${n / 1e3}k` : String(n));
const bytesWords = (n) => (n === 0 ? "none" : n >= 1e6 ? `${n / 1e6} MB` : `${n / 1e3} kB`);

function render({ model, el }) {
  const parts = frame(el, { name: "overhead_lab", title: "What Wasm filters cost", subtitle: "" });
  const stops = model.get("stops");
  let resting = 0;
  let view = null;

  // -- controls ---
  /** Change the setup: bars at once, the curve when nothing has changed for a while. */
  function change(traits) {
    clearTimeout(resting);
    want(model, parts.root, { ...traits, rounds: 0 });
    resting = setTimeout(() => want(model, null, { rounds: 1 }), RESTING_MS);
  }
  const controls = [];
  function stopSlider(label, trait, values, words) {
    const nearest = (value) => values.reduce((best, v, i) => (Math.abs(v - value) < Math.abs(values[best] - value) ? i : best), 0);
    const show = () => {
      const text = words(values[Number(box.input.value)]);
      box.querySelector("output").textContent = text;
      box.input.setAttribute("aria-valuetext", text);
    };
    const pick = (i) => { show(); if (model.get(trait) !== values[i]) change({ [trait]: values[i] }); };
    const box = slider(label, { min: 0, max: values.length - 1, value: nearest(model.get(trait)), onmove: pick, onpick: pick });
    box.follow = () => { box.put(nearest(model.get(trait))); show(); };
    controls.push(box);
    return box;
  }
  const whole = (most, from = 0) => Array.from({ length: most - from + 1 }, (_, i) => i + from);
  function picker(label, trait, options) {
    const box = choice(label, options, String(model.get(trait)), (value) => change({ [trait]: value }));
    box.follow = () => box.put(model.get(trait));
    controls.push(box);
    return box;
  }
  const own = toggle("a VM for each filter", model.get("own_vms"), (value) => change({ own_vms: value }));
  own.follow = () => own.put(model.get("own_vms"));
  controls.push(own);
  const board = h("div", { class: "board", role: "group", "aria-label": "Setup" },
    stopSlider("Workers", "workers", [...whole(8, 1), 12, 16, 24, 32], String),
    stopSlider("Filters", "plugins", whole(8), String),
    stopSlider("Connections", "connections", stops.connections, String),
    stopSlider("Module size", "code_bytes", stops.code_bytes, (n) => (n ? bytesWords(n) : "its own")),
    stopSlider("Body", "body_bytes", stops.body_bytes, bytesWords),
    own,
    picker("A filter", "module", stops.modules),
    picker("When it crashes", "policy", [["closed", "FAIL_CLOSED"], ["open", "FAIL_OPEN"], ["reload", "FAIL_RELOAD"]]));

  const memory = h("section", { class: "card memory" });
  const cpu = h("section", { class: "card cpu" });
  const sides = h("section", { class: "card sides" });
  const latency = h("section", { class: "card latency" });
  const crash = h("section", { class: "card crash" });
  parts.main.append(board, h("div", { class: "grid" }, memory, cpu, latency, sides, crash));

  // -- bars ---
  function drawStack(card, title, bar, more) {
    card.replaceChildren(...[
      h("h4", {}, title, h("span", { class: "total" }, num(bar.total))),
      h("div", { class: "stack", role: "img", "aria-label": `${title}: ${bar.parts.map((p) => `${p.name} ${p.value.text}`).join(", ")}` },
        bar.parts.map((p) => h("span", { class: `piece ${p.colour}`, style: `width:${(100 * p.share).toFixed(3)}%`, title: `${p.name}: ${p.value.text}`, text: p.share > 0.035 ? p.letter : "" }))),
      h("table", {}, h("caption", { class: "spoken", text: `${title} by part` }), h("tbody", {}, bar.parts.map((p) => h("tr", {},
        h("td", { class: "key" }, h("span", { class: `dot ${p.colour}`, "aria-hidden": "true", text: p.letter })),
        h("th", { scope: "row", text: p.name }), h("td", { class: "value" }, num(p.value)),
        h("td", { class: "soft range", title: "where nine of ten rounds of measuring fall", text: p.range }))))),
      more ? h("p", { class: "more", text: more }) : null,
      bar.lacking ? h("p", { class: "soft small", text: bar.lacking }) : null].filter(Boolean));
  }

  function drawSides() {
    const s = view.sides;
    const used = new Set(s.tasks.flatMap((task) => task.bars.map((bar) => bar.engine)));
    sides.replaceChildren(...[
      h("h4", { text: "The same task: native, Lua, Wasm" }),
      s.tasks.length ? h("p", { class: "soft small", text: "CPU time that it adds to a request, each task on a scale of its own; nine of ten rounds of measuring fall into the line" }) : null,
      ...s.tasks.map((task) => h("div", { class: "task" }, h("span", { class: "taskname", text: task.name }),
        h("div", { class: "bars" }, task.bars.map((bar) => h("div", { class: "side", title: bar.how },
          h("span", { class: "engine", text: ENGINE_NAMES[bar.engine] }),
          h("span", { class: "track" }, h("span", { class: `fill ${ENGINE_COLOURS[bar.engine]} ${bar.engine}`, style: `width:${(100 * bar.share).toFixed(2)}%` }),
            h("span", { class: "whisker", style: `left:${(100 * bar.low).toFixed(2)}%;width:${(100 * (bar.high - bar.low)).toFixed(2)}%` })),
          num(bar.value)))))),
      s.lacking ? h("p", { class: "soft", text: s.lacking }) : null].filter(Boolean));
    sides.classList.toggle("empty", !used.size);
  }

  // -- curves ---
  const W = 440, H = 260, LEFT = 58, RIGHT = 108, TOP = 14, BOTTOM = 34;
  const nice = (most) => {
    const unit = 10 ** Math.floor(Math.log10(most));
    return [1, 1.5, 2, 3, 4, 5, 6, 8, 10].map((n) => n * unit).find((n) => n >= most) ?? most;
  };

  function drawLatency() {
    const l = view.latency;
    const points = l.curves.flatMap((curve) => curve.points);
    const head = h("h4", {}, "Latency under load, p99", h("span", { class: "origin profile", "aria-hidden": "true", text: "◇" }));
    if (!points.length) {
      latency.replaceChildren(head, h("p", { class: "soft waiting", text: l.words }));
      return;
    }
    const most = nice(Math.max(...points.map((p) => p.p99)) * 1.15);
    const rates = nice(Math.max(...points.map((p) => p.rate)));
    const x = (rate) => LEFT + ((W - LEFT - RIGHT) * rate) / rates;
    const y = (ns) => TOP + (H - TOP - BOTTOM) * (1 - Math.min(ns, most) / most);
    const plot = svg("svg", { viewBox: `0 0 ${W} ${H}`, role: "img", "aria-label": l.curves.map((c) => `${c.name}: ${c.points.map((p) => p.words).join("; ")}`).join(". ") });
    for (let i = 0; i <= 4; i++) {
      plot.append(svg("line", { class: "grid-line", x1: LEFT, x2: W - RIGHT, y1: y((most * i) / 4), y2: y((most * i) / 4) }),
        svg("text", { class: "tick", x: LEFT - 7, y: y((most * i) / 4) + 4, "text-anchor": "end", text: duration((most * i) / 4).replace(/^0 .*/, "0") }),
        svg("text", { class: "tick", x: x((rates * i) / 4), y: H - BOTTOM + 16, "text-anchor": "middle", text: shortCount(Math.round((rates * i) / 4)) }));
    }
    plot.append(svg("text", { class: "tick", x: (LEFT + W - RIGHT) / 2, y: H - 3, "text-anchor": "middle", text: "requests a second" }));
    const ends = [];
    for (const curve of l.curves) {
      const line = (f, pts = curve.points) => pts.map((p, i) => `${i ? "L" : "M"}${x(p.rate).toFixed(1)} ${y(f(p)).toFixed(1)}`).join(" ");
      const banded = curve.points.filter((p) => p.high !== null);
      if (banded.length > 1)
        plot.append(svg("path", { class: `band ${curve.colour}`, d: `${line((p) => p.high, banded)} ${line((p) => p.low, [...banded].reverse()).replace("M", "L")} Z` }));
      plot.append(svg("path", { class: `median ${curve.colour}`, d: line((p) => p.median) }),
        svg("path", { class: `curve ${curve.colour} ${curve.mark}`, d: line((p) => p.p99) }));
      for (const p of curve.points) {
        const shape = curve.mark === "square"
          ? svg("rect", { class: `mark ${curve.colour}`, x: x(p.rate) - 4, y: y(p.p99) - 4, width: 8, height: 8 })
          : svg("circle", { class: `mark ${curve.colour}`, cx: x(p.rate), cy: y(p.p99), r: 4.6 });
        shape.append(svg("title", { text: p.words }));
        plot.append(shape);
      }
      const last = curve.points.at(-1);
      ends.push([y(last.p99), x(last.rate), curve.name, 650], [y(last.median), x(last.rate), "median", 400]);
    }
    ends.sort((a, b) => a[0] - b[0]);
    for (let i = 1; i < ends.length; i++) ends[i][0] = Math.max(ends[i][0], ends[i - 1][0] + 14); // labels do not cover each other
    for (const [at, from, text, weight] of ends) plot.append(svg("text", { class: "label", x: Math.min(from + 9, W - RIGHT + 4), y: at + 4, "font-weight": weight, text }));
    latency.replaceChildren(head, plot, h("p", { class: "soft small", text: l.words }),
      h("details", {}, h("summary", { text: "as a table" }), h("table", {}, h("thead", {}, h("tr", {}, ["", "requests/s", "median", "p99", "95% interval"].map((t) => h("th", { scope: "col", text: t })))),
        h("tbody", {}, l.curves.flatMap((curve) => curve.points.map((p) => h("tr", {}, h("th", { scope: "row", text: curve.name }), h("td", { class: "num", text: p.rate.toLocaleString("en") }),
          h("td", { class: "num", text: duration(p.median) }), h("td", { class: "num", text: duration(p.p99) }), h("td", { class: "num", text: p.high === null ? "" : `${duration(p.low)} to ${duration(p.high)}` }))))))));
  }

  function drawCrash() {
    const c = view.crash;
    crash.replaceChildren(h("h4", { text: "When a module crashes" }), h("p", { text: c.rule }), h("p", { class: "soft small", text: c.words }),
      h("ol", { class: "strip", "aria-label": c.cells.map((cell, i) => `request ${i + 1} ${cell.word}`).join(", ") },
        c.cells.map((cell, i) => h("li", { class: cell.colour, title: `request ${i + 1}, at ${cell.at} ms: ${cell.word}`, "aria-hidden": "true", text: cell.sign }))),
      h("ul", { class: "signs" }, c.legend.map((item) => h("li", {}, h("span", { class: `dot ${item.colour}`, "aria-hidden": "true", text: item.sign }), item.words, " × ", num(item.count)))),
      h("p", { class: "soft small" }, "VMs made because of it: ", num(c.made)));
  }

  function draw(next) {
    const first = view === null;
    view = next;
    parts.subtitle.textContent = view.subtitle;
    for (const box of controls) box.follow();
    drawStack(memory, "Memory of the process", view.memory, view.memory.added);
    drawStack(cpu, "CPU time of a request", view.cpu, view.cpu.added);
    drawSides();
    drawLatency();
    drawCrash();
    showOrigins(parts.origins, view.origins);
    parts.root.dataset.rounds = model.get("rounds");
    if (!first) say(parts, `${view.subtitle}. Memory ${view.memory.total.text}, CPU ${view.cpu.total.text} a request.`);
    refineLater();
  }

  /** While the hand rests, have the curve simulated more closely, a round at a time. */
  function refineLater() {
    const rounds = model.get("rounds");
    if (!rounds || rounds >= stops.rounds) return;
    clearTimeout(resting);
    resting = setTimeout(() => want(model, null, { rounds: rounds + 1 }), REFINING_MS);
  }

  const end = follow(model, parts.root, draw);
  return () => { clearTimeout(resting); end(); };
}
