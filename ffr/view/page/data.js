// What is shown, and where is the cursor? Values from the server, one state for all views.
"use strict";
(() => {
  const ns = (window.ffrView ||= {});

  ns.fetchJson = async (path) => {
    const answer = await fetch(path);
    if (!answer.ok) throw new Error(await answer.text());
    return answer.json();
  };

  // see ffr/view/packing.py
  ns.fetchArrays = async (path) => {
    const answer = await fetch(path);
    if (!answer.ok) throw new Error(await answer.text());
    const bytes = await answer.arrayBuffer();
    const length = new DataView(bytes).getUint32(0, true);
    const header = JSON.parse(new TextDecoder().decode(new Uint8Array(bytes, 4, length)));
    const kinds = {
      float32: Float32Array, float64: Float64Array, int16: Int16Array, uint8: Uint8Array,
      uint32: Uint32Array,
    };
    const found = {};
    for (const [name, [kind, shape, at]] of Object.entries(header)) {
      const count = shape.reduce((a, b) => a * b, 1);
      found[name] = { data: new kinds[kind](bytes, 4 + length + at, count), shape };
    }
    return found;
  };

  // as ffr.results.result.ffr_rounded: two decimals, halves up
  ns.ffrText = (x) => (x === null ? "not analysed" : (Math.floor(x * 100 + 0.5 + 1e-9) / 100).toFixed(2));
  ns.intervalText = (low, high) =>
    low === null || high === null ? "no interval" : `${ns.ffrText(low)}–${ns.ffrText(high)}`;
  ns.stateOf = (x) => {
    if (x === null) return "not analysed";
    const shown = Number(ns.ffrText(x));
    return shown > 0.8 ? "above 0.80" : shown > 0.75 ? "0.76-0.80" : "0.75 or below";
  };

  const START = { angle: 0, window: 0, zoom: 1 };

  // One state: vessel, index on it (the cursor), turn in degrees, grey window, zoom of the axis.
  ns.Model = class {
    constructor(values) {
      this.values = values;
      this.vessel = 0;
      this.index = 0;
      Object.assign(this, START);
      this.arrays = values.vessels.map(() => null); // pictures, once they are here
      this.failed = values.vessels.map(() => null);
      this.listeners = [];
      this.pending = new Set();
      this.plan = new (ns.planClass())(this);
      this.edit = new (ns.editsClass())(this);
      this.plan.restore(values.pending.stents);
      this.edit.restore(values.pending.edits);
      Object.assign(this, { unsaved: values.pending.problem, down: this.pendingBody });
    }

    get pendingBody() { return JSON.stringify({ stents: this.plan.unkept, edits: this.edit.unkept }); }

    // writes what is tried into the run's folder: one request at a time, of later ones the last
    async putDown() {
      if (this.plan.drag || this.puttingDown || this.pendingBody === this.down) return;
      this.puttingDown = true;
      for (let body = this.pendingBody; body !== this.down; body = this.pendingBody) {
        this.down = body;
        let answer;
        try { answer = await ns.post("data/pending", body); } catch (error) { answer = { error: error.message }; }
        this.unsaved = answer.error ? `Not saved, gone when the page is closed: ${answer.error}.` : "";
      }
      this.puttingDown = false;
      this.tell("tried");
    }

    get tries() { return [this.plan, this.edit]; }
    get tried() { return this.tries.find((x) => x.on) || null; }
    get way() { return this.values.vessels[this.vessel]; }
    get point() { return this.way.points[this.index]; }
    get here() { return this.at(this.point); }
    get length() { const p = this.way.points; return this.values.points.s_mm[p[p.length - 1]]; }

    at(point) {
      const found = {};
      for (const [name, column] of Object.entries(this.values.points)) {
        if (name !== "at_mm") found[name] = column[point];
      }
      return found;
    }

    column(name) {
      const column = this.values.points[name];
      return this.way.points.map((p) => column[p]);
    }

    // millimetres of the axis that are in view
    get span() {
      const shown = this.length / this.zoom;
      const middle = this.here.s_mm;
      const first = this.zoom === 1 ? 0 : Math.min(Math.max(middle - shown / 2, 0), this.length - shown);
      return [first, first + shown];
    }

    // why: "vessel", "cursor", "turn", "window", "zoom" or "tried"; views redraw what depends on it
    tell(why) {
      const waiting = this.pending.size > 0;
      this.pending.add(why);
      if (waiting) return;
      requestAnimationFrame(() => {
        const all = this.pending;
        this.pending = new Set();
        for (const listener of this.listeners) listener(all);
      });
    }

    moveTo(vessel, index) {
      const other = vessel !== this.vessel;
      this.vessel = vessel;
      const last = this.way.points.length - 1;
      this.index = Math.min(Math.max(Math.round(index), 0), last);
      this.tell(other ? "vessel" : "cursor");
    }

    moveBy(steps) { this.moveTo(this.vessel, this.index + steps); }

    // a point of a tree: the vessel stays if it passes there
    moveToPoint(point) {
      const index = this.way.points.indexOf(point);
      const { vessel, index: home } = this.at(point);
      if (index >= 0) this.moveTo(this.vessel, index);
      else if (vessel >= 0) this.moveTo(vessel, home);
    }

    nearest(mm) {
      const s = this.values.points.s_mm;
      const points = this.way.points;
      let low = 0, high = points.length - 1;
      while (high - low > 1) {
        const middle = (low + high) >> 1;
        if (s[points[middle]] <= mm) low = middle; else high = middle;
      }
      return mm - s[points[low]] < s[points[high]] - mm ? low : high;
    }

    moveToMm(mm) { this.moveTo(this.vessel, this.nearest(mm)); }

    nextVessel(step) {
      const count = this.values.vessels.length;
      const to = (this.vessel + step + count) % count;
      const index = this.values.vessels[to].points.indexOf(this.point); // on the shared stem
      this.moveTo(to, Math.max(index, 0));
    }

    nextLesion(step) {
      const places = this.values.lesions.map((x) => x.throat).filter((x) => x);
      if (!places.length) return;
      const now = places.findIndex(([v, i]) => v === this.vessel && i === this.index);
      const start = now < 0 && step < 0 ? 0 : now;
      this.moveTo(...places[(start + step + places.length) % places.length]);
    }

    turnTo(angle) { this.angle = ((angle % 360) + 360) % 360; this.tell("turn"); }
    setWindow(which) { this.window = which % this.values.windows.length; this.tell("window"); }
    setZoom(zoom) { this.zoom = Math.min(Math.max(zoom, 1), 8); this.tell("zoom"); }
    reset() { Object.assign(this, START); this.tell("turn"); this.tell("window"); this.tell("zoom"); }

    get images() { return this.arrays[this.vessel]; }

    async load(vessel) {
      if (this.arrays[vessel] || this.failed[vessel]) return;
      try {
        this.arrays[vessel] = await ns.fetchArrays(`data/vessel/${vessel}`);
      } catch (error) {
        this.failed[vessel] = error.message;
      }
      if (vessel === this.vessel) this.tell("images");
    }
  };
})();
