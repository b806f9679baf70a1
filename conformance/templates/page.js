"use strict";
// All text that comes from a results file is set as text, never as markup. The whole state of the page is its URL fragment.
(() => {
  const D = JSON.parse(document.getElementById("data").textContent);
  const N = D.ids.length, CONFORMS = 0;
  const SIGNS = { conforms: "✓", wrong_shape: "S", wrong_value: "V", wrong_dtype: "T", declined: "D", accepted: "A", crashed: "C", hung: "H", absent: "–" };
  const PER_PAGE = 30;
  const $ = (id) => document.getElementById(id);
  const number = (n) => n.toLocaleString("en-US");
  const words = (outcome) => outcome.replace("_", " ");

  // h("td", {class: "x", onclick: f}, "text", node, [more])
  function h(name, attributes, ...children) {
    const svg = name === "svg" || name === "rect" || name === "text" || name === "title";
    const node = svg ? document.createElementNS("http://www.w3.org/2000/svg", name) : document.createElement(name);
    for (const [key, value] of Object.entries(attributes || {})) {
      if (value === null || value === undefined || value === false) continue;
      if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
      else node.setAttribute(key, value === true ? "" : value);
    }
    node.append(...children.flat(3).filter((child) => child !== null && child !== undefined).map((child) => child.nodeType ? child : document.createTextNode(String(child))));
    return node;
  }
  const mark = (outcome, known) => h("span", { class: known ? "mark known" : "mark", "data-outcome": outcome, "aria-hidden": "true" }, SIGNS[outcome]);

  // Columns

  const outcomes = D.runs.map((run) => {
    const codes = new Int8Array(N);
    for (let i = 0; i < N; i++) codes[i] = run.outcomes[i] === "." ? -1 : +run.outcomes[i];
    return codes;
  });
  let windows = null; // kernel, stride and input size of every axis, read from the ids when first asked for
  function windowsOf(i) {
    windows ||= D.ids.map((id) => {
      const part = /-in([\dx]+)-k([\dx]+)-f\d+-s([\dx]+)/.exec(id);
      const [size, k, s] = part.slice(1).map((text) => text.split("x").map(Number));
      return k.map((_, axis) => [k[axis], s[axis], size[axis + 1]]);
    });
    return windows[i];
  }

  // State

  const DEFAULTS = { run: "0", layer: "", feature: "", k: "", s: "", n: "", axis: "any", q: "", outcome: "", mode: "", known: "", case: "", more: "1" };
  let state = { ...DEFAULTS };
  function readState() {
    const found = new URLSearchParams(location.hash.slice(1));
    state = { ...DEFAULTS };
    for (const key of Object.keys(DEFAULTS)) if (found.has(key)) state[key] = found.get(key);
    if (!D.runs[+state.run]) state.run = "0";
    if (state.layer !== "" && !D.layers[+state.layer]) state.layer = "";
    if (!["any", "first", "last"].includes(state.axis)) state.axis = "any";
  }
  let goTo = null; // the heading that the next drawing moves the focus to
  function change(values, heading) {
    const next = { ...state, ...values };
    const kept = new URLSearchParams();
    for (const [key, value] of Object.entries(next)) if (value !== DEFAULTS[key]) kept.set(key, value);
    goTo = heading || null;
    const hash = "#" + kept;
    if (hash === location.hash || (hash === "#" && !location.hash)) draw();
    else location.hash = hash;
  }

  // A case in a link: its id, and mode and claim where the page has several, so that a link fits a page made anew.
  const nameOf = (i) => D.ids[i] + (D.modes.length > 1 ? ` ${D.modes[D.mode[i]]}` : "") + (D.claims.length > 1 ? ` ${D.claims[D.claim[i]]}` : "");
  function placeOf(name) {
    for (let i = 0; i < N; i++) if (name.startsWith(D.ids[i]) && nameOf(i) === name) return i;
    return D.ids.indexOf(name);
  }

  // Filters

  const isKnown = (run, i) => D.runs[run].deviations[i] !== undefined;
  function filtered() {
    const tokens = state.q.toLowerCase().split(/\s+/).filter(Boolean);
    const mode = state.mode === "" ? -1 : D.modes.indexOf(state.mode);
    const rows = [];
    for (let i = 0; i < N; i++) {
      if (mode >= 0 && D.mode[i] !== mode) continue;
      if (tokens.length && !tokens.every((token) => D.ids[i].includes(token))) continue;
      rows.push(i);
    }
    return rows;
  }
  const hasFeature = (i, feature) => feature === "" || (D.bits[i] >> feature) & 1;
  const counts = (run, i) => outcomes[run][i] >= 0 && !(state.known && isKnown(run, i));
  function tally(run, rows) {
    const found = { total: 0, failing: 0, known: 0, by: new Array(D.outcomes.length).fill(0) };
    for (const i of rows) {
      if (!counts(run, i)) continue;
      const outcome = outcomes[run][i];
      found.total++; found.by[outcome]++;
      if (outcome !== CONFORMS) { found.failing++; if (isKnown(run, i)) found.known++; }
    }
    return found;
  }
  function worst(found) {
    let best = CONFORMS;
    for (let o = 1; o < found.by.length; o++) if (found.by[o] > (best === CONFORMS ? 0 : found.by[best])) best = o;
    return found.total ? D.outcomes[best] : "absent";
  }
  const said = (found) => !found.total ? "no cases" : !found.failing ? `all ${number(found.total)} conform`
    : `${number(found.failing)} of ${number(found.total)} do not conform: ` + D.outcomes.filter((_, o) => o !== CONFORMS && found.by[o])
      .map((outcome) => `${number(found.by[D.outcomes.indexOf(outcome)])} ${words(outcome)}`).join(", ") + (found.known ? `; ${number(found.known)} known` : "");
  function bar(found) {
    const node = h("span", { class: "bar", "aria-hidden": "true" });
    for (let o = 1; o < found.by.length; o++) {
      if (!found.by[o]) continue;
      const part = h("i", { "data-outcome": D.outcomes[o] });
      part.style.width = `${Math.max(100 * found.by[o] / found.total, 3)}%`;
      node.append(part);
    }
    const rest = h("i", { "data-outcome": "conforms" });
    rest.style.flex = "1";
    if (found.by[CONFORMS]) node.append(rest);
    return node;
  }
  function cell(found, key, label, pressed, act) {
    const outcome = worst(found);
    return h("button", { type: "button", class: "cell", "data-outcome": outcome, "data-key": key, "aria-pressed": String(pressed), "aria-label": `${label}: ${said(found)}`, title: said(found), onclick: act },
      found.failing ? [h("b", {}, number(found.failing)), h("span", { class: "quiet" }, ` / ${number(found.total)}`)] : [h("span", { "aria-hidden": "true" }, "✓ "), number(found.total)], bar(found));
  }

  // Views

  function drawRuns() {
    const all = [...Array(N).keys()];
    $("runs").replaceChildren(...D.runs.map((run, r) => {
      const found = { total: 0, failing: 0, known: 0, by: new Array(D.outcomes.length).fill(0) };
      for (const i of all) {
        const outcome = outcomes[r][i];
        if (outcome < 0) continue;
        found.total++; found.by[outcome]++;
        if (outcome !== CONFORMS) { found.failing++; if (isKnown(r, i)) found.known++; }
      }
      return h("div", { class: "run", "data-outcome": worst(found) },
        h("p", {}, h("strong", {}, run.label), h("span", { class: "quiet" }, ` ${run.file} · ${said(found)}`)),
        run.notes.map((note) => h("p", { class: "note" }, note)),
        run.rules.length ? (run.rules.length > 1 || D.runs.length > 3
          ? h("details", { open: D.runs.length < 4 }, h("summary", {}, `${run.rules.length === 1 ? "The rule" : `The ${run.rules.length} rules`} behind what does not conform`), h("ul", {}, run.rules.map((rule) => h("li", { class: "rule" }, rule))))
          : h("p", { class: "rule" }, run.rules[0])) : null,
        h("details", {}, h("summary", {}, "Environment"), h("dl", {}, run.environment.map(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]), h("dt", {}, "time in the subject"), h("dd", {}, `${run.seconds} s`))));
    }));
  }

  function drawMatrix(rows) {
    const present = D.features.map((_, f) => f).filter((f) => D.bits.some((bits) => (bits >> f) & 1));
    const byLayer = D.layers.map(() => []);
    for (const i of rows) byLayer[D.layer[i]].push(i);
    const columns = ["", ...present];
    const title = (f) => f === "" ? "all" : D.features[f][0];
    const table = h("table", { "data-grid": true }, h("caption", {}, "Cases that do not conform, of all. Choose a cell to see where they lie."),
      h("thead", {}, h("tr", {}, h("td", {}), columns.map((f) => h("th", { scope: "col", title: f === "" ? "every case" : D.features[f][1] }, title(f))))));
    D.layers.forEach((layer, l) => {
      const body = h("tbody", {});
      const split = byLayer[l];
      const perFeature = columns.map((f) => split.filter((i) => hasFeature(i, f)));
      if (D.runs.length > 1) body.append(h("tr", {}, h("th", { scope: "rowgroup", colspan: columns.length + 1 }, layer)));
      D.runs.forEach((run, r) => {
        body.append(h("tr", {}, h("th", { scope: "row", title: `${run.label} (${run.file})` }, D.runs.length > 1 ? run.label : layer), columns.map((f, c) => {
          const pressed = +state.run === r && state.layer === String(l) && state.feature === String(f);
          return h("td", {}, perFeature[c].length ? cell(tally(r, perFeature[c]), `matrix-${r}-${l}-${f}`, `${layer}, ${title(f)}, ${run.label}`, pressed,
            () => change({ run: String(r), layer: String(l), feature: String(f), k: "", s: "", n: "", case: "", more: "1" }, "heat-heading")) : "");
        })));
      });
      table.append(body);
    });
    $("matrix").replaceChildren(table);
  }

  const axesOf = (i) => { const all = windowsOf(i); return state.axis === "first" ? all.slice(0, 1) : state.axis === "last" ? all.slice(-1) : all; };
  const ascending = (values) => [...values].sort((a, b) => a - b);

  function drawHeat(rows) {
    $("heat-section").hidden = state.layer === "";
    if (state.layer === "") return;
    const run = +state.run;
    $("heat-heading").textContent = `${D.layers[+state.layer]}, ${state.feature === "" ? "all" : D.features[+state.feature][0]}, ${D.runs[run].label}: kernel × stride × input`;
    const cells = new Map(), kernels = new Set(), strides = new Set(), sizes = new Set();
    for (const i of rows) {
      if (!counts(run, i)) continue;
      const seen = new Set();
      for (const [k, s, n] of axesOf(i)) {
        const key = `${k},${s}`;
        kernels.add(k); strides.add(s); sizes.add(n);
        if (!cells.has(key)) cells.set(key, { all: new Set(), sizes: new Map() });
        const found = cells.get(key);
        found.all.add(i);
        if (!found.sizes.has(n)) found.sizes.set(n, []);
        if (!seen.has(`${key},${n}`)) { seen.add(`${key},${n}`); found.sizes.get(n).push(i); }
      }
    }
    const inputs = ascending(sizes), strips = inputs.length <= 24;
    const table = h("table", { "data-grid": true }, h("caption", {}, `Kernel size down, stride across, of ${state.axis === "any" ? "an" : `the ${state.axis}`} axis.` + (strips && inputs.length ? ` The stripes are input sizes ${inputs[0]} to ${inputs[inputs.length - 1]}: half filled where only some cases conform.` : "")),
      h("thead", {}, h("tr", {}, h("td", {}), ascending(strides).map((s) => h("th", { scope: "col" }, `stride ${s}`)))));
    const body = h("tbody", {});
    for (const k of ascending(kernels)) {
      body.append(h("tr", {}, h("th", { scope: "row" }, `kernel ${k}`), ascending(strides).map((s) => {
        const found = cells.get(`${k},${s}`);
        if (!found) return h("td", {});
        const pressed = state.k === String(k) && state.s === String(s);
        const button = cell(tally(run, found.all), `heat-${k}-${s}`, `kernel ${k}, stride ${s}`, pressed,
          () => change({ k: pressed ? "" : String(k), s: pressed ? "" : String(s), n: "", case: "", more: "1" }, pressed ? null : "list-heading"));
        if (strips) button.append(h("span", { class: "strip", "aria-hidden": "true" }, inputs.map((n) => {
          const at = found.sizes.get(n);
          if (!at) return h("i", { class: "none" });
          const t = tally(run, at);
          return h("i", { "data-outcome": worst(t), class: t.failing && t.failing < t.total ? "some" : null, title: `input ${n}: ${said(t)}` });
        })));
        return h("td", {}, button);
      })));
    }
    table.append(body);
    const choose = (name, options) => h("label", {}, `${name} `, h("select", { "data-key": name, onchange: (event) => change({ [name === "axis" ? "axis" : "n"]: event.target.value, case: "", more: "1" }) },
      options.map(([value, text]) => h("option", { value, selected: value === (name === "axis" ? state.axis : state.n) }, text))));
    $("heat").replaceChildren(
      h("div", { class: "tools" }, choose("axis", [["any", "any"], ["first", "first (height)"], ["last", "last (width)"]]), choose("input size", [["", "all"], ...inputs.map((n) => [String(n), String(n)])])),
      h("div", { class: "scroll" }, table));
  }

  function drawList(rows) {
    const searching = state.q !== "" || state.outcome !== "" || state.layer !== "";
    $("list-section").hidden = !searching;
    if (!searching) { $("status").textContent = ""; return; }
    const run = +state.run, wanted = state.outcome === "" ? -1 : D.outcomes.indexOf(state.outcome);
    const [k, s, n] = [state.k, state.s, state.n].map((text) => text === "" ? null : +text);
    const found = rows.filter((i) => (wanted < 0 ? counts(run, i) : outcomes[run][i] === wanted && counts(run, i))
      && (k === null && n === null || axesOf(i).some((axis) => (k === null || (axis[0] === k && axis[1] === s)) && (n === null || axis[2] === n))));
    // what does not conform first; within that the order of the grid
    const sorted = [...found.filter((i) => outcomes[run][i] !== CONFORMS), ...found.filter((i) => outcomes[run][i] === CONFORMS)];
    const shown = sorted.slice(0, PER_PAGE * Math.max(1, +state.more || 1));
    $("list-heading").textContent = `${number(found.length)} ${found.length === 1 ? "case" : "cases"}, ${D.runs[run].label}`;
    $("status").textContent = `${number(found.length)} cases listed`;
    const table = h("table", {}, h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "case"), h("th", { scope: "col" }, "outcome"), h("th", { scope: "col", class: "hide" }, D.runs.length > 1 ? "in all runs" : "what it says"))),
      h("tbody", {}, shown.map((i) => {
        const outcome = D.outcomes[outcomes[run][i]], known = isKnown(run, i);
        const message = D.messages[D.runs[run].messages[i]] || "";
        return h("tr", {}, h("td", {}, h("button", { type: "button", class: "link", "data-key": `case-${i}`, onclick: () => change({ case: nameOf(i) }, "case-heading") }, D.ids[i]),
          D.modes.length > 1 ? ` [${D.modes[D.mode[i]]}]` : "", D.claims.length > 1 ? ` ${D.claims[D.claim[i]]}` : ""),
          h("td", {}, mark(outcome, known), words(outcome), known ? h("span", { class: "quiet" }, " (known)") : null),
          h("td", { class: D.runs.length > 1 ? "hide" : "hide says" }, D.runs.length > 1 ? D.runs.map((each, r) => {
            const name = outcomes[r][i] < 0 ? "absent" : D.outcomes[outcomes[r][i]];
            return h("span", { class: "mark", role: "img", "data-outcome": name, title: `${each.label}: ${words(name)}`, "aria-label": `${each.label}: ${words(name)}` }, SIGNS[name]);
          }) : message.split("\n")[0].slice(0, 140)));
      })));
    $("list").replaceChildren(h("div", { class: "scroll" }, table), shown.length < found.length
      ? h("button", { type: "button", "data-key": "more", onclick: () => change({ more: String((+state.more || 1) + 1) }) }, found.length - shown.length > PER_PAGE ? `Show ${PER_PAGE} more of ${number(found.length - shown.length)}` : `Show ${number(found.length - shown.length)} more`) : "");
  }

  // Where the result differs: the rows of X and . at the end of a message.
  function difference(message) {
    const lines = message.split("\n").filter((line) => /^[X.]+( …)?$/.test(line)).map((line) => line.replace(" …", ""));
    if (!lines.length) return null;
    const unit = 14, width = Math.max(...lines.map((line) => line.length));
    const svg = h("svg", { width: width * unit + 2, height: lines.length * unit + 2, viewBox: `0 0 ${width * unit + 2} ${lines.length * unit + 2}`, role: "img", "aria-label": "where the result differs" });
    lines.forEach((line, y) => [...line].forEach((letter, x) => svg.append(h("rect", { class: letter === "X" ? "bad" : "good", x: x * unit + 1, y: y * unit + 1, width: unit - 2, height: unit - 2 }))));
    return h("figure", {}, svg, h("figcaption", {}, "Where the result differs, over its last two axes: red in some item or channel, green nowhere."));
  }

  // One axis: small index i and tap t meet big index i * stride + t * dilation - before.
  function axisPicture([big, small, kernel, stride, dilation, before], title, transposed) {
    const unit = 16, rows = Math.min(small, 14), first = -before;
    const lastTap = (rows - 1) * stride + (kernel - 1) * dilation - before;
    const end = Math.min(Math.max(big, lastTap + 1), first + 48), wide = end - first;
    if (rows < 1 || wide < 1) return null;
    const width = wide * unit + 34, height = (rows + 1) * unit + 6;
    const svg = h("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `${title}: kernel ${kernel}, stride ${stride}, dilation ${dilation}, ${before} before` });
    for (let j = first; j < end; j++) {
      const x = (j - first) * unit + 30;
      if (j >= 0 && j < big) svg.append(h("text", { x: x + 3, y: 11 }, j));
      for (let i = 0; i < rows; i++) {
        const t = (j + before - i * stride) / dilation, hit = Number.isInteger(t) && t >= 0 && t < kernel, inside = j >= 0 && j < big;
        svg.append(h("rect", { class: inside ? "in" : "out", x: x + 1, y: (i + 1) * unit + 1, width: unit - 2, height: unit - 2 }));
        if (hit) svg.append(h("rect", { class: inside ? "tap" : "lost", x: x + 4, y: (i + 1) * unit + 4, width: unit - 8, height: unit - 8 }));
      }
    }
    for (let i = 0; i < rows; i++) svg.append(h("text", { x: 2, y: (i + 2) * unit - 4 }, i));
    const beyond = transposed ? "dashed is cut off" : "dashed is padding";
    return h("figure", {}, svg, h("figcaption", {}, `${title}: ${transposed ? `output 0 to ${big - 1} across, input down` : `input 0 to ${big - 1} across, output down`}; a mark where a kernel tap joins them, ${beyond}.` + (rows < small || end < Math.max(big, lastTap + 1) ? " The beginning only." : "")));
  }

  function copyable(text, what) {
    const pre = h("pre", { tabindex: "0", "aria-label": what }, text);
    const button = h("button", { type: "button", class: "copy", "data-key": `copy-${what}` }, "Copy");
    button.addEventListener("click", async () => {
      let done = true;
      try { await navigator.clipboard.writeText(text); } catch {
        const range = document.createRange();
        range.selectNodeContents(pre);
        getSelection().removeAllRanges(); getSelection().addRange(range);
        try { done = document.execCommand("copy"); } catch { done = false; }
      }
      button.textContent = done ? "Copied" : "Selected: copy it with the keyboard";
      $("status").textContent = done ? `${what} copied` : "text selected";
      setTimeout(() => { button.textContent = "Copy"; }, 2000);
    });
    return h("div", {}, h("div", { class: "tools" }, h("h3", {}, what), button), pre);
  }

  function drawCase() {
    const i = state.case === "" ? -1 : placeOf(state.case);
    $("case-section").hidden = i < 0;
    if ($("case-section").hidden) return;
    const run = +state.run, layer = D.layer[i], transposed = D.transposed[layer];
    $("case-heading").textContent = D.ids[i];
    const names = D.axes[i].length === 2 ? ["height", "width"] : ["first axis", "second axis", "third axis"];
    const message = D.messages[D.runs[run].messages[i]] || "";
    const table = h("table", {}, h("thead", {}, h("tr", {}, ["run", "outcome", "known deviation", "error in bounds"].map((name) => h("th", { scope: "col" }, name)))),
      h("tbody", {}, D.runs.map((each, r) => {
        const outcome = outcomes[r][i] < 0 ? "absent" : D.outcomes[outcomes[r][i]];
        return h("tr", {}, h("th", { scope: "row" }, each.label), h("td", {}, mark(outcome, isKnown(r, i)), words(outcome)), h("td", {}, each.deviations[i] || ""),
          h("td", {}, each.errors[i] === undefined ? "" : typeof each.errors[i] === "number" ? each.errors[i].toPrecision(3) : each.errors[i]));
      })));
    const said = new Map();
    D.runs.forEach((each, r) => {
      const text = D.messages[each.messages[i]];
      if (text) said.set(text, [...(said.get(text) || []), each.label]);
    });
    const extra = D.runs[run].characteristics[i];
    const script = D.scripts[i];
    $("case").replaceChildren(
      h("p", { class: "quiet" }, `mode ${D.modes[D.mode[i]]}, claim ${D.claims[D.claim[i]]}. `, h("button", { type: "button", class: "link", "data-key": "close", onclick: () => change({ case: "" }, "list-heading") }, "back to the list")),
      h("div", { class: "scroll" }, table),
      ...[...said].map(([text, labels]) => h("div", {}, D.runs.length > 1 ? h("h3", {}, labels.join("; ")) : h("h3", {}, "What it says"), h("pre", { class: "wrap" }, text))),
      extra ? h("dl", {}, Object.entries(extra).map(([name, value]) => [h("dt", {}, name), h("dd", {}, value)])) : "",
      h("h3", {}, "Picture"),
      h("div", { class: "pictures" }, difference(message), D.axes[i].map((axis, a) => axisPicture(D.geometry[axis], names[a], transposed)),
        D.axes[i].length ? null : h("p", {}, "An error is due: there is no result to draw.")),
      script ? copyable(script.replaceAll("{backend}", D.runs[run].backend), "Script to see it, without convformance") : h("p", { class: "quiet" }, "No script: the case conforms in every run, or is too large to draw up here."),
      copyable(`${D.runs[run].backend ? `KERAS_BACKEND=${D.runs[run].backend} ` : ""}pytest conformance --case ${D.ids[i]}` + (D.modes[D.mode[i]] === "eager" ? "" : ` --mode ${D.modes[D.mode[i]]}`), "Command to run it again"));
  }

  function drawFilters() {
    const options = (select, all, values) => {
      if (!select.options.length) select.append(h("option", { value: "" }, all), ...values.map((value) => h("option", { value }, words(value))));
    };
    options($("outcome"), "any", D.outcomes.filter((_, o) => outcomes.some((codes) => codes.includes(o))));
    options($("mode"), "any", D.modes);
    $("outcome").value = state.outcome; $("mode").value = state.mode; $("known").checked = state.known !== "";
    if (document.activeElement !== $("query")) $("query").value = state.q;
  }

  function draw() {
    const active = document.activeElement && document.activeElement.getAttribute("data-key");
    readState();
    drawFilters();
    const rows = filtered();
    drawMatrix(rows);
    const chosen = state.layer === "" ? rows : rows.filter((i) => D.layer[i] === +state.layer && hasFeature(i, state.feature === "" ? "" : +state.feature));
    drawHeat(chosen);
    drawList(chosen);
    drawCase();
    const focus = goTo ? $(goTo) : active ? document.querySelector(`[data-key="${CSS.escape(active)}"]`) : null;
    if (focus) { focus.focus({ preventScroll: !goTo }); if (goTo) focus.scrollIntoView({ block: "start" }); }
    goTo = null;
  }

  // Events

  let typing = 0;
  $("filters").addEventListener("submit", (event) => event.preventDefault());
  $("query").addEventListener("input", (event) => { clearTimeout(typing); const q = event.target.value; typing = setTimeout(() => change({ q, more: "1" }), 150); });
  $("outcome").addEventListener("change", (event) => change({ outcome: event.target.value, more: "1" }));
  $("mode").addEventListener("change", (event) => change({ mode: event.target.value, more: "1" }));
  $("known").addEventListener("change", (event) => change({ known: event.target.checked ? "out" : "" }));
  $("reset").addEventListener("click", () => { $("query").value = ""; change({ ...DEFAULTS }); });
  addEventListener("hashchange", draw);
  addEventListener("keydown", (event) => {
    if (event.key === "Escape" && !["INPUT", "SELECT"].includes(event.target.tagName)) {
      if (state.case !== "") change({ case: "" }, "list-heading");
      else if (state.layer !== "") change({ layer: "", feature: "", k: "", s: "", n: "" }, "matrix-heading");
    }
    // arrows walk through the cells of a grid
    const step = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
    const from = event.target.closest && event.target.closest("[data-grid] td");
    if (!step || !from) return;
    const rows = [...from.closest("table").rows];
    let r = rows.indexOf(from.parentNode), c = from.cellIndex;
    for (;;) {
      r += step[0]; c += step[1];
      if (!rows[r] || c < 0 || c >= Math.max(...rows.map((row) => row.cells.length))) return;
      const button = rows[r].cells[c] && rows[r].cells[c].querySelector("button");
      if (button) { event.preventDefault(); button.focus(); return; }
    }
  });
  const THEMES = ["automatic", "light", "dark"];
  let theme = 0;
  function showTheme() {
    if (theme) document.documentElement.dataset.theme = THEMES[theme]; else delete document.documentElement.dataset.theme;
    $("theme").textContent = `Theme: ${THEMES[theme]}`;
  }
  try { theme = Math.max(0, THEMES.indexOf(localStorage.getItem("convformance-theme"))); } catch { /* a page from a file may have no storage */ }
  $("theme").addEventListener("click", () => { theme = (theme + 1) % 3; showTheme(); try { localStorage.setItem("convformance-theme", THEMES[theme]); } catch { /* as above */ } });
  showTheme();

  $("legend").append(...[...D.outcomes.filter((_, o) => outcomes.some((codes) => codes.includes(o)))].map((outcome) => h("li", {}, mark(outcome), words(outcome))),
    D.runs.some((run) => Object.keys(run.deviations).length) ? h("li", {}, h("span", { class: "mark known", "data-outcome": "declined" }, "D"), "outlined: a known deviation") : "");
  drawRuns();
  draw();
  document.documentElement.dataset.ready = String(Math.round(performance.now()));
})();
