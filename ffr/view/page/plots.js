// What happens along the vessel? FFR, diameter and lesions over the same millimetres as above.
"use strict";
(() => {
  const ns = (window.ffrView ||= {});
  const SVG = "http://www.w3.org/2000/svg";
  const BREAKS = [0.755, 0.805];
  const READING_PX = 7.6; // a letter of the words at a reading, about

  const make = (name, attributes, parent, text) => {
    const element = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    if (text !== undefined) element.textContent = text;
    parent.appendChild(element);
    return element;
  };

  // runs of points where all columns are known
  const runs = (...columns) => {
    const found = [];
    let run = [];
    for (let k = 0; k < columns[0].length; k += 1) {
      if (columns.every((c) => c[k] !== null)) run.push(k);
      else if (run.length) { found.push(run); run = []; }
    }
    if (run.length) found.push(run);
    return found;
  };

  ns.svg = make;
  ns.runs = runs;

  const line = (points) => points.map(([x, y]) => `${x.toFixed(1)},${y.toFixed(1)}`).join(" ");

  class Plot {
    constructor(svg, model) { this.svg = svg; this.model = model; }

    begin() {
      const box = this.svg.getBoundingClientRect();
      const model = this.model;
      this.width = box.width;
      this.height = box.height;
      this.svg.replaceChildren();
      this.svg.setAttribute("viewBox", `0 0 ${box.width} ${box.height}`);
      [this.first, this.last] = model.span;
      this.x = (mm) => ((mm - this.first) / (this.last - this.first)) * this.width;
      this.s = model.column("s_mm");
      // what is drawn ends with the axis, its numbers stand outside
      this.inside = make("svg", { x: 0, y: 0, width: this.width, height: this.height, class: "inside" }, this.svg);
      for (const lesion of ns.lesionsOf(model)) {
        make("rect", {
          x: this.x(lesion.start_mm), y: 0, width: this.x(lesion.end_mm) - this.x(lesion.start_mm),
          height: this.height, fill: "#5b6b80", opacity: 0.16,
        }, this.inside);
      }
      this.grid();
    }

    grid() {
      for (const mm of this.ticks()) {
        make("line", { x1: this.x(mm), x2: this.x(mm), y1: 0, y2: this.height, class: "grid" }, this.inside);
      }
    }

    ticks() {
      const step = [1, 2, 5, 10, 20, 50].find((x) => (this.last - this.first) / x <= 14);
      const found = [];
      for (let mm = Math.ceil(this.first / step) * step; mm <= this.last; mm += step) found.push(mm);
      return found;
    }

    axis(values, text) {
      for (const value of values) {
        const y = this.y(value);
        make("line", { x1: 0, x2: this.width, y1: y, y2: y, class: "grid" }, this.inside);
        make("text", { x: -6, y, class: "tick", "text-anchor": "end" }, this.svg, text(value));
      }
    }

    band(low, high, attributes, into = this.inside) {
      for (const run of runs(low, high)) {
        const there = run.map((k) => [this.x(this.s[k]), this.y(high[k])]);
        const back = run.map((k) => [this.x(this.s[k]), this.y(low[k])]).reverse();
        make("polygon", { points: line([...there, ...back]), ...attributes }, into);
      }
    }

    curve(values, attributes, into = this.inside) {
      for (const run of runs(values)) {
        make("polyline", { points: line(run.map((k) => [this.x(this.s[k]), this.y(values[k])])), fill: "none", ...attributes }, into);
      }
    }

    // where nothing is known
    gaps(values, label) {
      const known = runs(values);
      const end = known.length ? known[known.length - 1].at(-1) : 0;
      if (end === values.length - 1) return;
      const x = this.x(this.s[end]);
      const width = this.x(this.s.at(-1)) - x;
      make("rect", { x, y: 0, width, height: this.height, fill: "url(#hatch)" }, this.inside);
      if (label && width > 70) {
        make("text", { x: x + width / 2, y: this.height / 2, class: "tick halo", "text-anchor": "middle" }, this.inside, label);
      }
    }

    // the plan alone, where the axis stays as it is
    planned() {
      const range = this.range();
      if (range !== this.drawn) { this.draw(); return; }
      this.layer.replaceChildren();
      ns.drawTried(this);
    }

    plan() {
      this.layer = make("g", {}, this.inside);
      this.drawn = this.range();
      ns.drawTried(this);
    }

    dot() {
      this.marker = make("circle", { r: 5, class: "marker" }, this.inside);
      this.cursor();
    }

    cursor() {
      ns.moveReach(this);
      const value = this.model.here[this.name];
      this.marker.style.display = value === null ? "none" : "";
      if (value === null) return;
      this.marker.setAttribute("cx", this.x(this.model.here.s_mm));
      this.marker.setAttribute("cy", this.y(value));
    }
  }

  ns.FfrPlot = class extends Plot {
    name = "ffr";

    range() {
      const known = [...this.model.column("ffr"), ...this.model.column("ffr_low"), ...ns.lowestAfter(this.model)];
      return Math.max(0, Math.min(0.5, ...known.filter((x) => x !== null).map((x) => x - 0.05)));
    }

    draw() {
      this.begin();
      const values = this.model.values;
      const [ffr, low, high] = ["ffr", "ffr_low", "ffr_high"].map((n) => this.model.column(n));
      const bottom = this.range();
      this.y = (value) => 6 + ((1.02 - value) / (1.02 - bottom)) * (this.height - 10);
      make("rect", { x: 0, y: this.y(BREAKS[1]), width: this.width, height: this.y(BREAKS[0]) - this.y(BREAKS[1]), fill: "#f0a63a", opacity: 0.2 }, this.inside);
      this.axis([0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1].filter((x) => x >= bottom), (x) => x.toFixed(2));
      this.band(low, high, { fill: "#3b5f86", opacity: 0.22 });
      for (const end of [low, high]) this.curve(end, { stroke: "#3b5f86", "stroke-width": 1 });
      make("line", { x1: 0, x2: this.width, y1: this.y(0.8), y2: this.y(0.8), stroke: ns.INK, "stroke-width": 1.4, "stroke-dasharray": "7 4" }, this.inside);
      this.curve(ffr, { stroke: ns.INK, "stroke-width": 5 });
      for (const run of runs(ffr)) {
        for (let m = 1; m < run.length; m += 1) {
          const [a, b] = [run[m - 1], run[m]];
          make("line", {
            x1: this.x(this.s[a]), y1: this.y(ffr[a]), x2: this.x(this.s[b]), y2: this.y(ffr[b]),
            stroke: ns.ffrColour(values, (ffr[a] + ffr[b]) / 2), "stroke-width": 3, "stroke-linecap": "round",
          }, this.inside);
        }
      }
      const stretch = this.model.way.unreadable[0];
      this.gaps(ffr, stretch ? `not analysable: ${stretch[2]}` : "not analysed");
      this.plan();
      this.readings();
      this.dot();
    }

    // the height of words over [x0, x1] that touch neither a curve nor, if that can be, the line at 0.80
    clearOf(x0, x1, above) {
      const after = this.model.tried?.after;
      const curves = [this.model.column("ffr"), ...(after ? [this.model.way.points.map((p) => after.ffr[p])] : [])];
      const passed = curves.flatMap((c) => c.filter((v, k) => v !== null && this.x(this.s[k]) >= x0 && this.x(this.s[k]) <= x1)).map((v) => this.y(v));
      const sides = [Math.min(...passed) - 14, Math.max(...passed) + 16];
      if (!above) sides.reverse();
      const inside = sides.filter((y) => y >= 10 && y <= this.height - 10);
      return inside.find((y) => Math.abs(y - this.y(0.8)) > 10) ?? inside[0] ?? this.height / 2;
    }

    readings() {
      for (const lesion of ns.lesionsOf(this.model)) {
        const k = this.model.way.points.indexOf(lesion.read_point);
        if (k < 0 || lesion.ffr_distal === null) continue;
        const x = this.x(this.s[k]), y = this.y(lesion.ffr_distal);
        const colour = this.model.values.state_colours[lesion.state];
        make("path", { d: `M${x} ${y - 7}l7 7l-7 7l-7-7z`, fill: "#fff", stroke: colour, "stroke-width": 2 }, this.inside);
        const text = `${ns.ffrText(lesion.ffr_distal)} (${ns.intervalText(lesion.ffr_low, lesion.ffr_high)}), ${lesion.distance_used_mm.toFixed(0)} mm behind lesion ${lesion.id}`;
        const wide = text.length * READING_PX;
        const left = Math.max(Math.min(x + 10, this.width - wide - 4), 4);
        const height = this.clearOf(Math.min(x, left), left + wide, y > 0.5 * this.height);
        make("text", { x: left, y: height, class: "reading halo", fill: colour }, this.inside, text);
      }
    }
  };

  ns.DiameterPlot = class extends Plot {
    name = "diameter_mm";

    range() {
      const { after: tried } = this.model.tried || {};
      const after = tried ? this.model.way.points.map((p) => tried.diameter_mm[p] ?? 0) : [];
      return 1.12 * Math.max(...this.model.column("diameter_mm"), ...this.model.column("reference_mm"), ...after);
    }

    draw() {
      this.begin();
      const names = ["diameter_mm", "diameter_low_mm", "diameter_high_mm", "reference_mm"];
      const [lumen, low, high, reference] = names.map((n) => this.model.column(n));
      const top = this.range();
      this.y = (value) => 4 + (1 - value / top) * (this.height - 24);
      this.axis([0, 1, 2, 3, 4, 5, 6, 7].filter((x) => x <= top), (x) => `${x}`);
      this.band(low, high.map((x) => Math.min(x, top)), { fill: "#16202c", opacity: 0.14 });
      this.curve(reference, { stroke: "#5a6675", "stroke-width": 1.5, "stroke-dasharray": "6 3" });
      this.curve(lumen, { stroke: ns.INK, "stroke-width": 2 });
      this.plan();
      for (const mm of this.ticks()) {
        make("text", { x: this.x(mm), y: this.height - 8, class: "tick", "text-anchor": "middle" }, this.svg, `${mm}`);
      }
      this.dot();
    }
  };

  // names of what the vessel passes, its side branches, and the numbers of the lesions
  ns.Names = class {
    constructor(box, model) { this.box = box; this.model = model; }

    draw() {
      const model = this.model;
      const [first, last] = model.span;
      const percent = (mm) => (100 * (Math.min(Math.max(mm, first), last) - first)) / (last - first);
      this.box.replaceChildren();
      const add = (kind, text, from, to) => {
        const element = document.createElement("span");
        element.className = kind;
        element.textContent = text;
        element.title = text;
        element.style.left = `${percent(from)}%`;
        if (to !== undefined) element.style.width = `${percent(to) - percent(from)}%`;
        this.box.appendChild(element);
      };
      model.way.stretches.forEach(([name, from, to], k) => {
        if (to > first && from < last) add(`stretch ${k % 2 ? "odd" : ""}`, name, from, to);
      });
      for (const [name, at] of model.way.takeoffs) {
        if (at >= first && at <= last) add("takeoff", `▲ ${name}`, at);
      }
      for (const lesion of ns.lesionsOf(model)) {
        const middle = (lesion.start_mm + lesion.end_mm) / 2;
        if (middle >= first && middle <= last) {
          add("lesion-tag", `lesion ${lesion.id} · ${lesion.diameter_stenosis_percent.toFixed(0)} %`, middle);
        }
      }
    }
  };
})();
