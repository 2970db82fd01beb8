// Which edits by hand are pending, and what is the next one at the cursor?
"use strict";
(() => {
  const ns = (window.ffrView ||= {});
  const STEP_MM = 0.1; // of the lumen's diameter
  const LENGTHS_MM = [1, 40]; // along which a wall is moved
  const BUMP_RAD = Math.PI / 3; // on either side of where a wall is pulled
  const RAYS = 24; // of a wall that is pulled
  const LEAST_MM = 0.05; // a shorter pull is a click

  const same = (a, b) => a.vessel === b.vessel && a.side === b.side;

  const WORDS = {
    solving: "interval follows: 10 240 trees are being solved",
    resolved: () => "with 95 % intervals",
    kept: (folder) => `kept in the run's folder as ${folder} (report.html, report.pdf, result.json, tree.vtp, edits.json); the automatic result is untouched`,
  };

  // Edits as `ffr edit --edits` reads them. Their millimetres and names are those of the trees as
  // edited so far, which the server tells for every point of the automatic ones.
  ns.editsClass = () => class extends ns.Tried {
    constructor(model) {
      super(model, "data/edits", WORDS);
      Object.assign(this, { edits: [], length_mm: 5, moving: null, pull: null });
      this.good = { edits: [], past: [], future: [] }; // the last list that could be solved
    }

    get list() { return this.edits; }
    get body() { return JSON.stringify({ edits: this.edits }); }
    get state() { return this.edits; }
    set state(edits) { Object.assign(this, { edits, moving: null }); }
    stateOf(edits) { return edits; }
    get sound() { return this.good.edits; }

    restore(edits) {
      super.restore(edits);
      this.good.edits = edits;
    }

    // an edit that does not fit is told and not kept in the list
    take(answer, error, body = this.body) {
      if (body !== this.body) { if (!error) super.take(answer, ""); return; } // a later one is asked for
      if (error) Object.assign(this, { edits: this.good.edits, past: [...this.good.past], future: [...this.good.future] });
      else this.good = { edits: this.edits, past: [...this.past], future: [...this.future] };
      super.take(error ? this.after : answer, error);
    }

    // --- the cursor in the trees as edited so far

    get at() { return this.place(this.model.point); }

    // null: that place is deleted
    place(p) {
      const { points, vessels } = this.model.values;
      this.sides ||= points.vessel.map((v) => (v < 0 ? null : vessels[v].side));
      if (!this.after) return { vessel: points.name[p], side: this.sides[p], s_mm: points.s_mm[p], diameter_mm: points.diameter_mm[p] };
      const [vessel, side, s_mm, diameter_mm] = ["name", "side", "s_mm", "diameter_mm"].map((x) => this.after[x][p]);
      return vessel === null ? null : { vessel, side, s_mm, diameter_mm };
    }

    // the span around the cursor whose wall is moved, within its vessel
    get span() {
      const at = this.at;
      if (!at) return null;
      const own = this.model.values.points.name.map((_, p) => this.place(p)).filter((x) => x && same(x, at)).map((x) => x.s_mm);
      const half = this.length_mm / 2;
      return [Math.max(at.s_mm - half, Math.min(...own)), Math.min(at.s_mm + half, Math.max(...own))];
    }

    // the part of the way that is looked at which a nudge reaches, in millimetres of the axis
    get reach() {
      const span = this.span, { way, values } = this.model;
      if (!span) return null;
      const at = this.at;
      const own = way.points.filter((p) => { const x = this.place(p); return x && same(x, at) && x.s_mm >= span[0] && x.s_mm <= span[1]; });
      return own.length ? [values.points.s_mm[own[0]], values.points.s_mm[own.at(-1)]] : null;
    }

    // --- changes

    change(edits, kind = "") {
      this.remember(kind);
      this.edits = edits;
      this.moving = null;
      this.ask();
    }

    // while the last one is being solved its names and places are not known yet
    add(edit) { if (!this.asking) this.change([...this.edits, edit]); }

    // of the vessel under the cursor
    of(edit, more = {}) {
      const at = this.at;
      if (at) this.add({ edit, vessel: at.vessel, side: at.side, ...more });
    }

    relabel(name) { this.of("relabel", { name }); }
    exclude() { this.of("exclude"); }
    deleteVessel() { this.of("delete"); }
    deleteBehind() { this.of("delete", { from_mm: this.at?.s_mm }); }
    split(name) { this.of("split", { at_mm: this.at?.s_mm, name }); }
    clear() { if (this.edits.length) this.change([]); }

    setLength(mm) {
      this.length_mm = Math.min(Math.max(Math.round(mm) || 5, LENGTHS_MM[0]), LENGTHS_MM[1]);
      this.model.tell("tried");
    }

    // wider by tenths of a millimetre; steps at the same place are one edit
    nudge(steps) {
      const at = this.at;
      if (!at) return;
      const [from_mm, to_mm] = this.span;
      const last = this.edits.at(-1);
      const again = last?.edit === "nudge" && last.wider_by_mm !== undefined && same(last, at) && Math.abs(last.from_mm - from_mm) + Math.abs(last.to_mm - to_mm) < 1e-6;
      if (this.asking && !again) return;
      const wider_by_mm = Math.round(10 * ((again ? last.wider_by_mm : 0) + steps * STEP_MM)) / 10;
      const before = again ? this.edits.slice(0, -1) : this.edits;
      const made = { edit: "nudge", vessel: at.vessel, side: at.side, from_mm, to_mm, wider_by_mm };
      this.change(wider_by_mm ? [...before, made] : before, `nudge ${from_mm} ${to_mm}`);
    }

    // --- a branch that springs from another place: first the branch, then the place

    startMove() {
      const at = this.at;
      this.moving = at && { vessel: at.vessel, side: at.side };
      this.model.tell("tried");
    }

    cancelMove() { this.moving = null; this.model.tell("tried"); }

    springHere() {
      const at = this.at;
      if (at && this.moving) this.add({ edit: "move", ...this.moving, take_off_vessel: at.vessel, at_mm: at.s_mm });
    }

    // --- the contour in the cross-section, pulled at an angle from right towards up

    // the outline that is shown at a place of the way: 36 radii, and whether it is an edited one
    outline(index = this.model.index) {
      const made = this.answer?.outlines[this.model.vessel]?.[index];
      if (made) return [made, true];
      const { data, shape } = this.model.images.outline_mm;
      return [Array.from(data.subarray(index * shape[1], (index + 1) * shape[1])), false];
    }

    // how much of a pull at `angle` is felt at another angle
    share(angle) {
      const away = Math.abs(Math.atan2(Math.sin(angle - this.pull.angle), Math.cos(angle - this.pull.angle)));
      return !this.model.images.first_ray ? 1 : away < BUMP_RAD ? 0.5 + 0.5 * Math.cos((Math.PI * away) / BUMP_RAD) : 0;
    }

    grabWall(angle, r_mm) {
      this.pull = { angle, start: r_mm, by_mm: 0 };
    }

    pullTo(r_mm) {
      this.pull.by_mm = Math.round(20 * (r_mm - this.pull.start)) / 20;
      this.model.tell("tried");
    }

    dropWall() {
      const { by_mm } = this.pull;
      const at = this.at, first = this.model.images.first_ray;
      if (at && Math.abs(by_mm) >= LEAST_MM - 1e-9) {
        const [from_mm, to_mm] = this.span;
        const made = { edit: "nudge", vessel: at.vessel, side: at.side, from_mm, to_mm };
        if (first) {
          const [zero, sense] = first.data.subarray(2 * this.model.index, 2 * this.model.index + 2);
          const ray = (j) => by_mm * this.share(zero + (sense * 2 * Math.PI * j) / RAYS);
          made.wall_change_mm = Array.from({ length: RAYS }, (_, j) => Math.round(1000 * ray(j)) / 1000);
        } else made.wider_by_mm = Math.round(200 * by_mm) / 100;
        this.add(made);
      }
      this.pull = null;
      this.model.tell("tried");
    }
  };
})();
