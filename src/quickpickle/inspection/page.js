// The functions of the page: the chart, its keyboard, the search, and the tables. Text from the file is
// only ever put in as textContent, and as labels of the chart with its markup escaped.
"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const [PARENT, STEP, PATH, TYPE, VALUE, OWN, TOTAL, LENGTH] = [0, 1, 2, 3, 4, 5, 6, 7];
  const boxes = data.boxes;
  const element = (id) => document.getElementById(id);
  const numbers = new Intl.NumberFormat("en");
  const MOST_FOUND = 200;
  const LEVELS = 7; // of the icicle that are shown at once

  const children = boxes.map(() => []);
  boxes.forEach((box, i) => { if (i) children[box[PARENT]].push(i); });

  // --- words and colours

  function size(bytes) {
    let unit = "bytes", value = bytes;
    for (const next of ["KB", "MB", "GB", "TB"]) {
      if (value < 1000) break;
      value /= 1000;
      unit = next;
    }
    return unit === "bytes" ? `${numbers.format(bytes)} ${bytes === 1 ? "byte" : "bytes"}`
      : `${value.toPrecision(3)} ${unit}`;
  }

  function share(bytes) {
    if (!data.size) return "";
    const percent = 100 * bytes / data.size;
    return percent >= 0.1 ? `${percent.toFixed(1)} %` : "< 0.1 %";
  }

  // The types with the largest boxes get a colour each; of Paul Tol's palettes, for all eyes.
  const PALETTE = ["#4477aa", "#ccbb44", "#228833", "#ee8866", "#aa3377", "#66ccee", "#997700",
    "#99ddff", "#cc6677", "#44bb99", "#8877bb", "#bbcc33"];
  const PLAIN = "#9aa3af"; // of all other types, and of what is no object
  const colors = new Map();
  for (const [name] of data.types.slice().sort((a, b) => b[3] - a[3])) {
    if (colors.size === PALETTE.length) break;
    if (name !== "pickle" && name !== "unread") colors.set(name, PALETTE[colors.size]);
  }
  const color = (type) => colors.get(type) || PLAIN;

  function textColor(background) {
    const [r, g, b] = [1, 3, 5].map((i) => parseInt(background.slice(i, i + 2), 16));
    return 0.299 * r + 0.587 * g + 0.114 * b > 140 ? "#14171c" : "#ffffff";
  }

  const escaped = (text) => text.replace(/&/g, "&amp;").replace(/</g, "&lt;")
    .replace(/>/g, "&gt;").replace(/\$/g, "&#36;").replace(/%\{/g, "%&#123;");
  const short = (text, most) => text.length > most ? `${text.slice(0, most)}…` : text;

  // --- the chart

  const chart = element("chart");
  let shown = 0; // the box that is zoomed to
  let chosen = 0; // the box that the details are of
  let matches = null; // what the search has found, as a set
  let isTreemap = false;

  const style = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const isFaint = (i) => matches !== null && !matches.has(i);
  const boxColors = () => boxes.map((box, i) => color(box[TYPE]) + (isFaint(i) ? "38" : ""));

  function trace() {
    return {
      type: isTreemap ? "treemap" : "icicle",
      ids: boxes.map((_, i) => String(i)),
      parents: boxes.map((box, i) => i ? String(box[PARENT]) : ""),
      labels: boxes.map((box) => escaped(short(box[STEP], 60))),
      values: boxes.map((box) => box[TOTAL]),
      text: boxes.map((box) => size(box[TOTAL])),
      customdata: boxes.map((box) => [
        escaped(short(box[PATH], 90)), escaped(box[TYPE] || "several"),
        escaped(short(box[VALUE], 60)), share(box[TOTAL]),
      ]),
      branchvalues: "total",
      sort: false, // they are in order, the rest comes last
      level: String(shown),
      maxdepth: isTreemap ? 3 : LEVELS,
      texttemplate: "%{label}<br>%{text}",
      textposition: "top left",
      hovertemplate: "<b>%{customdata[0]}</b><br>%{customdata[1]} %{customdata[2]}<br>" +
        "%{text}, %{customdata[3]}<extra></extra>",
      tiling: isTreemap ? {pad: 2} : {orientation: "v", pad: 1},
      pathbar: {visible: false},
      leaf: {opacity: 1},
      textfont: {color: boxes.map((box, i) => isFaint(i) ? style("--quiet") : textColor(color(box[TYPE])))},
      marker: {
        colors: boxColors(),
        line: {
          color: boxes.map((_, i) => i === chosen ? style("--text") : style("--box-line")),
          width: boxes.map((_, i) => i === chosen ? 3 : 1),
        },
      },
    };
  }

  const layout = () => ({
    margin: {l: 0, r: 0, t: 0, b: 0},
    paper_bgcolor: "rgba(0,0,0,0)",
    font: {family: "system-ui, sans-serif", size: 13, color: style("--text")},
    uniformtext: {minsize: 11, mode: "hide"}, // else a label shrinks with its box, until nobody can read it
    hoverlabel: {
      align: "left", bgcolor: style("--card"), bordercolor: style("--line"),
      font: {color: style("--text"), family: "ui-monospace, monospace", size: 12},
    },
  });

  const draw = () => Plotly.react(chart, [trace()], layout(), {displayModeBar: false, responsive: true});

  function choose(i, zoom) {
    chosen = i;
    if (zoom !== undefined) shown = zoom;
    else if (!isVisible(i)) shown = boxes[i][PARENT] < 0 ? 0 : boxes[i][PARENT];
    draw();
    describe();
  }

  function isVisible(i) {
    const depth = isTreemap ? 2 : LEVELS - 1;
    for (let up = 0; i >= 0 && up <= depth; up += 1, i = boxes[i][PARENT]) if (i === shown) return true;
    return false;
  }

  const zoomOut = () => {
    const parent = Math.max(boxes[shown][PARENT], 0);
    choose(shown, parent);
  };

  // --- what is chosen

  function describe() {
    const box = boxes[chosen];
    element("path").textContent = box[PATH];
    element("value").textContent = box[VALUE];
    element("value").hidden = !box[VALUE];
    element("type").textContent = box[TYPE] || "several";
    element("total").textContent = `${numbers.format(box[TOTAL])} (${share(box[TOTAL])})`;
    element("own").textContent = `${numbers.format(box[OWN])} (${share(box[OWN])})`;
    element("length").textContent = numbers.format(box[LENGTH]);
    element("length").parentElement.hidden = !box[LENGTH];
    const below = children[chosen];
    const most = below.length ? Math.max(...below.map((i) => boxes[i][TOTAL])) : 1;
    element("children").replaceChildren(...below.slice()
      .sort((a, b) => boxes[b][TOTAL] - boxes[a][TOTAL]).map((i) => {
        const button = make("button", {type: "button"});
        const label = boxes[i][VALUE] ? `${boxes[i][STEP]}  ${short(boxes[i][VALUE], 24)}` : boxes[i][STEP];
        const bar = make("span", {className: "bar"});
        bar.style.width = `${100 * boxes[i][TOTAL] / most}%`;
        button.append(
          make("span", {className: "code", textContent: label}),
          make("span", {className: "size", textContent: size(boxes[i][TOTAL])}), bar);
        button.addEventListener("click", () => choose(i, children[i].length ? i : undefined));
        const item = make("li");
        item.append(button);
        return item;
      }));
    if (!below.length) {
      const text = box[TOTAL] > box[OWN] ? "Too small to be in this page." : "Nothing.";
      element("children").replaceChildren(make("li", {className: "quiet", textContent: text}));
    }
    const trail = [];
    for (let i = shown; i >= 0; i = boxes[i][PARENT]) trail.unshift(i);
    const left = trail.length > 9 ? [...trail.slice(0, 3), null, ...trail.slice(-5)] : trail;
    element("trail").replaceChildren(...left.map((i) => {
      if (i === null) return make("span", {textContent: "…"});
      const button = make("button", {type: "button", textContent: short(boxes[i][STEP], 40)});
      if (i === shown) button.setAttribute("aria-current", "true");
      button.addEventListener("click", () => choose(i, i));
      return button;
    }));
  }

  function make(name, properties) {
    return Object.assign(document.createElement(name), properties);
  }

  // --- the keyboard

  chart.addEventListener("keydown", (event) => {
    const parent = boxes[chosen][PARENT];
    const by = (a, b) => boxes[b][TOTAL] - boxes[a][TOTAL];
    const below = children[chosen].slice().sort(by);
    const beside = parent < 0 ? [0] : children[parent].slice().sort(by);
    const place = beside.indexOf(chosen);
    const moves = {
      ArrowDown: () => below.length && choose(below[0]),
      ArrowUp: () => parent >= 0 && choose(parent, parent < shown ? parent : undefined),
      ArrowRight: () => place + 1 < beside.length && choose(beside[place + 1]),
      ArrowLeft: () => place > 0 && choose(beside[place - 1]),
      Enter: () => choose(chosen, children[chosen].length ? chosen : undefined),
      " ": () => choose(chosen, children[chosen].length ? chosen : undefined),
      Backspace: zoomOut,
      Escape: zoomOut,
      Home: () => choose(0, 0),
    };
    if (moves[event.key] && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      moves[event.key]();
    }
  });

  // --- the search

  const search = element("search");
  const found = element("found");
  let marked = -1; // the line that the keys have gone to

  function runSearch() {
    const text = search.value.trim().toLowerCase();
    if (!text) {
      matches = null;
      closeFound();
      draw();
      return;
    }
    const hits = [];
    boxes.forEach((box, i) => {
      if (i && (box[PATH].toLowerCase().includes(text) || box[TYPE].toLowerCase().includes(text))) hits.push(i);
    });
    hits.sort((a, b) => boxes[b][TOTAL] - boxes[a][TOTAL]);
    matches = new Set(hits);
    marked = hits.length ? 0 : -1;
    const lines = hits.slice(0, MOST_FOUND).map((i, line) => {
      const item = make("li", {id: `found-${line}`});
      item.setAttribute("role", "option");
      item.setAttribute("aria-selected", String(line === marked));
      item.append(
        make("span", {className: "code where", textContent: short(boxes[i][PATH], 200)}),
        make("span", {className: "quiet", textContent: boxes[i][TYPE]}),
        make("span", {className: "number", textContent: size(boxes[i][TOTAL])}));
      item.addEventListener("mousedown", (event) => { event.preventDefault(); goTo(i); });
      return item;
    });
    const left = hits.length - lines.length;
    const note = !hits.length ? "Nothing found among what is in this page."
      : left ? `and ${numbers.format(left)} more` : `${numbers.format(hits.length)} found`;
    const last = make("li", {textContent: note});
    last.setAttribute("role", "presentation");
    found.replaceChildren(...lines, last);
    found.hidden = false;
    search.setAttribute("aria-expanded", "true");
    found.hits = hits;
    draw();
    mark(0);
  }

  function mark(line) {
    const lines = [...found.querySelectorAll("[role=option]")];
    if (!lines.length) return;
    marked = Math.min(Math.max(line, 0), lines.length - 1);
    lines.forEach((item, i) => item.setAttribute("aria-selected", String(i === marked)));
    search.setAttribute("aria-activedescendant", `found-${marked}`);
    lines[marked].scrollIntoView({block: "nearest"});
  }

  function closeFound() {
    found.hidden = true;
    search.setAttribute("aria-expanded", "false");
    search.removeAttribute("aria-activedescendant");
  }

  function goTo(i) {
    closeFound();
    choose(i, children[i].length ? i : boxes[i][PARENT]);
    chart.focus();
  }

  search.addEventListener("input", runSearch);
  search.addEventListener("focus", () => { if (search.value.trim()) runSearch(); });
  search.addEventListener("blur", closeFound);
  search.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown") mark(marked + 1);
    else if (event.key === "ArrowUp") mark(marked - 1);
    else if (event.key === "Enter" && !found.hidden && marked >= 0) goTo(found.hits[marked]);
    else if (event.key === "Escape") {
      search.value = "";
      runSearch();
      chart.focus();
    } else return;
    event.preventDefault();
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "/" && document.activeElement !== search) {
      event.preventDefault();
      search.focus();
      search.select();
    }
  });

  // --- the tables

  const cell = (text, isNumber) =>
    make("td", {textContent: text, className: isNumber ? "number" : ""});

  for (const [name, times, objects, mark, kind] of data.imports) {
    const row = make("tr", {className: kind});
    const first = cell(name);
    first.classList.add("code");
    row.append(first, cell(numbers.format(times), true), cell(numbers.format(objects), true), cell(mark));
    element("imports").tBodies[0].append(row);
  }
  if (!data.imports.length || data.importsLeftOut) {
    const row = make("tr");
    row.append(cell(data.importsLeftOut ? `and ${numbers.format(data.importsLeftOut)} more` : "nothing"));
    row.firstChild.colSpan = 4;
    element("imports").tBodies[0].append(row);
  }
  element("promise").textContent = data.promise;
  for (const [name, objects, own, total] of data.types) {
    const row = make("tr");
    const swatch = make("span", {className: "swatch"});
    swatch.style.background = color(name);
    const button = make("button", {type: "button"});
    button.append(swatch, document.createTextNode(name));
    button.addEventListener("click", () => {
      search.value = name;
      search.focus();
      runSearch();
    });
    const first = make("td");
    first.append(button);
    row.append(first, cell(numbers.format(objects), true), cell(numbers.format(own), true),
      cell(share(own), true), cell(numbers.format(total), true));
    element("types").tBodies[0].append(row);
  }
  for (const [label, value] of data.figures) {
    const line = make("div");
    line.append(make("dt", {textContent: label}), make("dd", {textContent: value}));
    element("figures").append(line);
  }
  element("name").textContent = data.name;
  const figure = Object.fromEntries(data.figures);
  element("summary").textContent = `${size(data.size)}, protocol ${figure.protocol}, ` +
    `${figure.objects} objects, ${data.imports.length ? `${data.imports.length + data.importsLeftOut} names imported` : "no imports"}` +
    (data.dangerous ? `, ${numbers.format(data.dangerous)} that can run code` : "") +
    (data.unknown ? `, ${numbers.format(data.unknown)} unknown` : "");
  if (data.error) {
    element("error").textContent = `Broken: ${data.error}. The part before that is shown here.`;
    element("error").hidden = false;
  }

  // --- the switches

  function setTheme(theme) {
    document.documentElement.dataset.theme = theme;
    const other = theme === "dark" ? "Light" : "Dark";
    element("theme").textContent = other;
    element("theme").setAttribute("aria-label", `Switch to ${other.toLowerCase()}`);
  }
  element("theme").addEventListener("click", () => {
    setTheme(document.documentElement.dataset.theme === "dark" ? "light" : "dark");
    draw();
  });
  const preferred = matchMedia("(prefers-color-scheme: dark)");
  preferred.addEventListener("change", () => { setTheme(preferred.matches ? "dark" : "light"); draw(); });
  setTheme(preferred.matches ? "dark" : "light");

  element("kind").addEventListener("click", () => {
    isTreemap = !isTreemap;
    const other = isTreemap ? "Icicle" : "Treemap";
    element("kind").textContent = other;
    element("kind").setAttribute("aria-label", `Show ${isTreemap ? "an icicle" : "a treemap"}`);
    draw();
  });
  element("copy").addEventListener("click", async () => {
    const button = element("copy");
    try {
      await navigator.clipboard.writeText(boxes[chosen][PATH]);
      button.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(element("path"));
      button.textContent = "Selected: copy it with Ctrl-C";
    }
    setTimeout(() => { button.textContent = "Copy the path"; }, 2000);
  });

  draw().then(() => {
    for (const kind of ["plotly_icicleclick", "plotly_treemapclick"]) {
      chart.on(kind, (event) => {
        const i = Number(event.points[0].id);
        // The box at the top leads back; any other is zoomed to, if there is something in it.
        if (i === shown) choose(i, Math.max(boxes[i][PARENT], 0));
        else choose(i, children[i].length ? i : undefined);
        return false; // the library's own way to zoom does not know what is chosen
      });
    }
    describe();
    document.body.dataset.ready = "true";
  });
})();
