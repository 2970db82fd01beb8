// Which virtual stents are placed, what do they change, and what was there before?
"use strict";
(() => {
  const ns = (window.ffrView ||= {});
  const LEAST_MM = 2;
  const USUAL_MM = 15; // of a stent that is placed by key where no lesion is
  const STEP_MM = 0.25;
  const STENT_MM = [1.5, 6];
  const SMALL_MM = 1.5; // vessels that are not analysed

  const WORDS = {
    solving: "interval follows: 10 240 pairs of trees are being solved",
    resolved: (answer) => `95 % intervals in ${answer.seconds.toFixed(1)} s, flow resolved`,
    kept: (folder) => `kept as a second result in the run's folder, ${folder} (result.json, comparison.json, tree.vtp); the first is untouched`,
  };

  // Stents as the server takes them: vessel, from_mm, to_mm, diameter_mm (null: healthy reference).
  ns.planClass = () => class extends ns.Tried {
    constructor(model) {
      super(model, "data/stents", WORDS);
      Object.assign(this, { stents: [], active: -1, ranking: null, rankingError: "" });
    }

    get list() { return this.stents; }
    get body() { return JSON.stringify({ stents: this.stents }); }
    get state() { return [this.stents.map((x) => ({ ...x })), this.active]; }
    set state([stents, active]) { Object.assign(this, { stents, active }); }
    stateOf(stents) { return [stents, stents.length - 1]; }
    get sound() { return this.stents; }

    toggle() {
      super.toggle();
      if (this.on && !this.ranking) this.rank();
    }

    // --- changes

    add(stent) {
      this.remember("");
      this.stents = [...this.stents, stent];
      this.active = this.stents.length - 1;
      this.ask();
    }

    remove(k = this.active) {
      if (!this.stents[k]) return;
      this.remember("");
      this.stents = this.stents.filter((_, j) => j !== k);
      this.active = this.stents.length - 1;
      this.ask();
    }

    clear() {
      if (!this.stents.length) return;
      this.remember("");
      Object.assign(this, { stents: [], active: -1 });
      this.ask();
    }

    choose(k) { if (this.stents[k]) { this.active = k; this.model.tell("tried"); } }

    set(k, change) { this.stents = this.stents.map((x, j) => (j === k ? { ...x, ...change } : x)); }

    // --- places on the vessel that is looked at

    // the last point of the way that can be stented
    get reach() {
      const small = this.model.column("reference_mm").findIndex((x) => x < SMALL_MM);
      return small < 0 ? this.model.way.points.length - 1 : Math.max(small - 1, 1);
    }

    // where a stent is on this way, in mm; null: it ends in a vessel that this way does not pass
    on_way(stent) {
      const model = this.model;
      const end = model.way.points[model.nearest(stent.to_mm)];
      return model.at(end).name === stent.vessel ? [stent.from_mm, stent.to_mm] : null;
    }

    span(from, to) {
      const model = this.model;
      const s = model.column("s_mm");
      const last = s[this.reach];
      const far = Math.min(Math.max(from, to), last);
      const near = Math.max(Math.min(from, to, last - LEAST_MM), 0);
      const end = Math.max(model.nearest(far), model.nearest(near + LEAST_MM));
      return { vessel: model.at(model.way.points[end]).name, from_mm: s[model.nearest(near)], to_mm: s[end] };
    }

    // a stent over the lesion at the cursor, else around the cursor
    addHere() {
      const mm = this.model.here.s_mm;
      const lesion = ns.lesionsOf(this.model).find((x) => mm >= x.start_mm && mm <= x.end_mm);
      const ends = lesion ? [lesion.start_mm - 2, lesion.end_mm + 2] : [mm - USUAL_MM / 2, mm + USUAL_MM / 2];
      this.add({ ...this.span(...ends), diameter_mm: null });
    }

    place(row) {
      const lesion = this.model.values.lesions.find((x) => x.id === row.lesion);
      if (lesion?.throat) this.model.moveTo(...lesion.throat);
      this.add({ vessel: row.vessel, from_mm: row.from_mm, to_mm: row.to_mm, diameter_mm: null });
    }

    // end 0: upstream, 1: downstream; by points of the centreline
    moveEnd(end, steps, k = this.active) {
      const stent = this.stents[k];
      const ends = stent && this.on_way(stent);
      if (!ends) return;
      const s = this.model.column("s_mm");
      const at = Math.min(Math.max(this.model.nearest(ends[end]) + steps, 0), s.length - 1);
      ends[end] = s[at];
      if (ends[1] - ends[0] < LEAST_MM - 1e-6 || at > this.reach) return;
      this.remember(`end ${k} ${end}`);
      this.set(k, this.span(...ends));
      this.ask();
    }

    // what the active stent is opened to at its far end
    get diameter_mm() {
      const stent = this.stents[this.active];
      return stent?.diameter_mm ?? this.after?.stents[this.active]?.distal_diameter_mm ?? null;
    }

    setDiameter(mm) {
      if (this.active < 0) return;
      const [low, high] = STENT_MM;
      const value = mm === null || !Number.isFinite(mm) ? null : Math.min(Math.max(mm, low), high);
      this.remember("diameter");
      this.set(this.active, { diameter_mm: value });
      this.ask();
    }

    stepDiameter(steps) {
      const now = this.diameter_mm;
      if (now === null) return;
      const next = steps > 0 ? Math.floor(now / STEP_MM + 1e-9) + 1 : Math.ceil(now / STEP_MM - 1e-9) - 1;
      this.setDiameter(next * STEP_MM);
    }

    // --- the mouse over the curves: a handle, a stent, or a new one

    grab(mm, near) {
      const order = this.stents.map((_, k) => k).sort((a, b) => (b === this.active) - (a === this.active));
      let found = { kind: "new", k: -1 };
      for (const k of order) {
        const ends = this.on_way(this.stents[k]);
        if (!ends) continue;
        const away = ends.map((x) => Math.abs(x - mm));
        if (Math.min(...away) <= near) { found = { kind: away[0] < away[1] ? "from" : "to", k, ends }; break; }
        if (found.k < 0 && mm > ends[0] && mm < ends[1]) found = { kind: "move", k, ends };
      }
      this.drag = { ...found, start: mm, moved: false };
    }

    dragTo(mm) {
      const drag = this.drag;
      if (!drag.moved) {
        const least = drag.kind === "new" ? LEAST_MM : 0.3;
        if (Math.abs(mm - drag.start) < least) return;
        drag.moved = true;
        this.remember("");
        if (drag.kind === "new") {
          this.stents = [...this.stents, { ...this.span(drag.start, mm), diameter_mm: null }];
          drag.k = this.stents.length - 1;
        }
        this.active = drag.k;
      }
      const [from, to] = drag.ends || [];
      const by = mm - drag.start;
      const ends = {
        new: () => [drag.start, mm],
        from: () => [Math.min(mm, to - LEAST_MM), to],
        to: () => [from, Math.max(mm, from + LEAST_MM)],
        move: () => { const shift = Math.max(by, -from); return [from + shift, to + shift]; },
      }[drag.kind]();
      this.set(drag.k, this.span(...ends));
      this.ask();
    }

    // false: it was a click
    drop() {
      const { moved, kind, k } = this.drag;
      this.drag = null;
      if (!moved && kind !== "new") { this.active = k; this.model.tell("tried"); }
      if (moved) { this.model.putDown(); this.askLater(); }
      return moved;
    }

    async rank() {
      this.ranking = { rows: [], statement: "", waiting: true };
      try {
        const answer = await ns.fetchJson("data/stents/ranking");
        if (answer.error) throw new Error(answer.error);
        this.ranking = answer;
      } catch (error) {
        this.ranking = { rows: [], statement: "" };
        this.rankingError = error.message;
      }
      this.model.tell("tried");
    }
  };
})();
