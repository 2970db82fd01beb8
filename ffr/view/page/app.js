// Which parts make the page, and what tells which of them to draw?
"use strict";
(() => {
  const ns = (window.ffrView ||= {});
  const MOUSE = [
    { button: 1, action: "Rotate" }, { button: 1, action: "Pan", shift: true },
    { button: 2, action: "Pan" }, { button: 3, action: "Pan" },
    { dragEnabled: false, scrollEnabled: true, action: "Zoom" },
  ];
  const CLICK_PX = 4; // more is a drag
  const GRIP_PX = 8; // on either side of a stent's end

  const TEMPLATE = `
  <div class="ffr" :data-ready="ready">
    <header v-if="values">
      <div class="top">
        <span class="product">ct-ffr</span>
        <span class="headline" :style="{ color: values.state_colours[values.headline.state] }">{{ values.headline.text }}</span>
        <span class="grade">suggested CAD-RADS 2.0, to confirm: <b>{{ values.cad_rads }}</b> · image quality: <b>{{ values.quality || "not judged" }}</b></span>
        <span class="ruo">{{ values.statement }}</span>
      </div>
      <section class="flags" aria-label="Warnings">
        <h2>{{ values.flags.length }} warning{{ values.flags.length === 1 ? "" : "s" }}</h2>
        <ul><li v-for="flag in values.flags">
          <button v-if="flag.place" @click="model.moveTo(...flag.place)" title="go there">⚠ {{ flag.message }}</button>
          <span v-else>⚠ {{ flag.message }}</span>
        </li><li v-for="text in values.not_analysed"><span>– {{ text }}</span></li></ul>
      </section>
      <section class="assumed" aria-label="Assumptions">
        <h2>Assumptions</h2>
        <ul><li v-for="x in values.assumptions" :title="x.source">
          <b>{{ x.name }} {{ x.value }}</b> <i :class="{ given: !x.assumed }">{{ x.assumed ? "assumed" : "known" }}</i> <small>({{ x.source }})</small>
        </li></ul>
      </section>
    </header>
    <main v-if="values">
      <section class="left">
        <div class="tree" ref="tree" tabindex="0" role="application" aria-label="Coronary trees coloured by FFR; arrow keys move the cursor">
          <vtk-view v-if="lumen" ref="view" :background="[1, 1, 1]" :interactorSettings="mouse" :pickingModes="[]">
            <vtk-geometry-representation :property="{ ambient: 0.25, diffuse: 0.75, specular: 0.12, specularPower: 20 }">
              <vtk-polydata :points="lumen.points" :polys="lumen.polys">
                <vtk-point-data>
                  <vtk-data-array name="rgb" registration="setScalars" type="Uint8Array" :numberOfComponents="3" :values="lumen.rgb" />
                  <vtk-data-array name="normals" registration="setNormals" type="Float32Array" :numberOfComponents="3" :values="lumen.normals" />
                </vtk-point-data>
              </vtk-polydata>
            </vtk-geometry-representation>
          </vtk-view>
          <canvas ref="overlay" class="overlay"></canvas>
          <div class="compare" v-if="tried" role="group" aria-label="Colours of the trees">
            <button :aria-pressed="!tried.shown" @click="tried.shown && model.tried.compare()">before</button><button :aria-pressed="tried.shown" @click="tried.shown || model.tried.compare()">after</button>
            <b>{{ shownTrees }}</b>
          </div>
          <div class="views" role="group" aria-label="3D view">
            <button v-for="(view, k) in values.views" :aria-pressed="k === viewed" @click="setView(k)">{{ view.name }}</button>
          </div>
        </div>
        <canvas ref="scale" class="scale" aria-hidden="true"></canvas>
        <div class="lesions">
          <table v-if="stent.on && stent.after" class="changes" aria-label="Lesions before and after; Enter goes there">
            <thead><tr><th>lesion</th><th>FFR → with stent (95 %)</th><th>change (95 %)</th><th>drop, mmHg</th></tr></thead>
            <tbody>
              <tr v-for="x in stent.after.lesions" :class="{ chosen: isChosen(lesionOf(x)) }" tabindex="0" :data-change="x.id" @click="toLesion(lesionOf(x))" @keydown.enter="toLesion(lesionOf(x))">
                <td>{{ x.id }} {{ lesionOf(x).segment_name || lesionOf(x).vessel }}{{ x.throat_stented ? " ▮" : "" }}</td>
                <td><b :style="{ color: values.state_colours[lesionOf(x).state] }">{{ lesionFfr(lesionOf(x)) }}</b> → <b :style="{ color: values.state_colours[x.state_after] }">{{ symbol(x.state_after) }} {{ x.state_after === "occluded" ? "occluded" : ffr(x.ffr_after) }}</b> {{ x.ffr_after_low === null ? "" : "(" + interval(x.ffr_after_low, x.ffr_after_high) + ")" }}</td>
                <td><b>{{ signed(x.change) }}</b> {{ x.change_low === null || (x.change_low === 0 && x.change_high === 0) ? "" : "(" + signed(x.change_low) + ", " + signed(x.change_high) + ")" }}</td>
                <td>{{ drop(x.drop_before_mmhg) }} → {{ drop(x.drop_after_mmhg) }}</td>
              </tr>
              <tr v-if="!stent.after.lesions.length"><td colspan="4">No lesion was found in the analysed vessels.</td></tr>
            </tbody>
            <tfoot><tr><td colspan="4">▮ under a virtual stent. {{ stent.interval }}</td></tr></tfoot>
          </table>
          <table v-else-if="edit.on && edit.after" class="changes" aria-label="Lesions before and after the edits; Enter goes there">
            <thead><tr><th>lesion</th><th>FFR → as edited</th><th>narrowing, % → as edited</th></tr></thead>
            <tbody>
              <tr v-for="x in edit.after.lesions" :class="{ chosen: x.id && isChosen(lesionOf(x)) }" tabindex="0" :data-edited="x.id || 'new'" @click="x.id && toLesion(lesionOf(x))" @keydown.enter="x.id && toLesion(lesionOf(x))">
                <td>{{ x.id ? x.id + " " + (lesionOf(x).segment_name || lesionOf(x).vessel) : "new: " + x.vessel + ", " + x.position_mm.toFixed(0) + " mm" }}</td>
                <td><b v-if="x.id" :style="{ color: values.state_colours[lesionOf(x).state] }">{{ lesionFfr(lesionOf(x)) }}</b><b v-else>{{ ffr(x.ffr_before) }}</b> → <b :style="{ color: values.state_colours[x.state_after] }">{{ symbol(x.state_after) }} {{ x.state_after === "occluded" ? "occluded" : ffr(x.ffr_after) }}</b></td>
                <td>{{ percent(x.diameter_stenosis_before_percent) }} → <b>{{ percent(x.diameter_stenosis_after_percent) }}</b></td>
              </tr>
              <tr v-if="!edit.after.lesions.length"><td colspan="3">No lesion was found in the analysed vessels.</td></tr>
            </tbody>
            <tfoot><tr><td colspan="3">Read at the same place in the patient{{ edit.interval ? "; " + edit.interval : "" }}</td></tr></tfoot>
          </table>
          <table v-else aria-label="Lesions; Enter goes there">
            <thead><tr><th>lesion</th><th>mm</th><th>% DS</th><th>min. mm</th><th>FFR behind (95 %)</th><th>P ≤ 0.80</th></tr></thead>
            <tbody>
              <tr v-for="x in values.lesions" :class="{ chosen: isChosen(x) }" tabindex="0" :data-lesion="x.id" @click="toLesion(x)" @keydown.enter="toLesion(x)">
                <td>{{ x.id }} {{ x.segment_name || x.vessel }}</td>
                <td>{{ x.position_mm.toFixed(0) }}</td>
                <td>{{ x.diameter_stenosis_percent.toFixed(0) }}</td>
                <td>{{ x.minimal_diameter_mm.toFixed(2) }}</td>
                <td :style="{ color: values.state_colours[x.state] }"><b>{{ symbol(x.state) }} {{ lesionFfr(x) }}</b> {{ x.ffr_distal === null ? "" : "(" + interval(x.ffr_low, x.ffr_high) + ")" }}</td>
                <td>{{ chance(x.probability_below_0_80) }}</td>
              </tr>
              <tr v-if="!values.lesions.length"><td colspan="6">No lesion was found in the analysed vessels.</td></tr>
            </tbody>
          </table>
        </div>
        <div v-if="values.plaque && !tried" class="plaque" role="region" aria-label="Plaque and fat, research grade" :title="values.plaque.note">
          <h2><button :aria-expanded="plaqueShown" @click="plaqueShown = !plaqueShown">{{ plaqueShown ? "▾" : "▸" }} {{ values.vessels[vessel].name }}: {{ values.plaque.title }}</button></h2>
          <template v-if="plaqueShown">
            <table v-if="plaque.rows.length"><thead><tr><th v-for="x in plaque.head">{{ x }}</th></tr></thead>
              <tbody><tr v-for="row in plaque.rows"><td v-for="x in row">{{ x }}</td></tr></tbody></table>
            <p v-else>No wall was seen along this vessel.</p>
            <p>{{ plaque.fat }}</p>
          </template>
        </div>
      </section>
      <section class="middle">
        <div class="controls">
          <div class="vessels" role="group" aria-label="Vessel">
            <button v-for="(way, k) in values.vessels" :aria-pressed="k === vessel" @click="model.moveTo(k, 0)">{{ wayName(way) }}</button>
          </div>
          <button class="mode" :aria-pressed="stent.on" @click="model.plan.toggle()">virtual stents{{ waiting(stent.unkept) }}</button>
          <button class="mode" id="edit-mode" :aria-pressed="edit.on" @click="model.edit.toggle()">edit by hand{{ waiting(edit.unkept) }}</button>
          <label class="slider">turn <input ref="turn" type="range" min="0" max="359" step="1" :value="angle" @input="model.turnTo(+$event.target.value)" @pointerup="$event.target.blur()" aria-label="Turn about the vessel's axis, degrees"><output>{{ angle }}°</output></label>
          <div class="windows" role="group" aria-label="Grey window">
            <button v-for="(w, k) in values.windows" :aria-pressed="k === window" @click="model.setWindow(k)">{{ w[0] }} {{ w[1] }}/{{ w[2] }}</button>
          </div>
        </div>
        <div class="axis" ref="axis" tabindex="0" role="slider" aria-label="Place along the vessel, mm from the ostium" aria-valuemin="0" :aria-valuemax="Math.round(model.length)" :aria-valuenow="here.s_mm" :aria-valuetext="spoken">
          <svg width="0" height="0" class="defs"><defs><pattern id="hatch" width="7" height="7" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><rect width="7" height="7" fill="#f1f2f4" /><line x1="0" x2="0" y1="0" y2="7" stroke="#b9bdc3" stroke-width="2" /></pattern></defs></svg>
          <div class="names" ref="names"></div>
          <canvas class="straight" ref="straight0"></canvas>
          <canvas class="straight" ref="straight90"></canvas>
          <div class="plot ffr-plot"><h3>FFR<small>95 % band</small><small v-if="tried && tried.after" class="with">━ {{ edit.on ? "as edited" : "with virtual stent" }}{{ tried.after.resolved ? ", 95 % band" : "; interval follows" }}</small></h3><svg ref="ffrPlot"></svg></div>
          <div class="plot width-plot"><h3>lumen, mm<small>95 % band</small><small>- - healthy</small></h3><svg ref="diameterPlot"></svg></div>
          <div class="cursor" ref="cursor"></div>
        </div>
        <div class="below">mm from the ostium along the {{ values.vessels[vessel].name }}</div>
      </section>
      <section class="right">
        <div class="readout" id="readout">
          <div class="where"><b id="vessel-name">{{ here.name }}</b> {{ here.segment }} <span id="place-mm">{{ here.s_mm.toFixed(1) }} mm</span> from the ostium</div>
          <div class="value"><span class="big" id="ffr-value" :style="{ color: values.state_colours[state] }">{{ symbol(state) }} {{ ffr(here.ffr) }}</span>
            <span class="beside"><span id="ffr-interval">95 % {{ interval(here.ffr_low, here.ffr_high) }}</span><br>{{ values.state_words[state] }}</span></div>
          <div class="lumen">lumen <b id="diameter-mm">{{ here.diameter_mm.toFixed(2) }} mm</b> (95 % {{ here.diameter_low_mm.toFixed(2) }}–{{ here.diameter_high_mm.toFixed(2) }}), healthy {{ here.reference_mm.toFixed(2) }} mm</div>
          <div class="with" id="with-stent" v-if="stent.on && stent.after">{{ withStent }}</div>
          <div class="with" id="as-edited" v-if="edit.on && edit.after">{{ asEdited }}</div>
        </div>
        <div class="picture cross"><canvas ref="cross" role="img" :aria-label="'Cross-section at the cursor'"></canvas></div>
        <ffr-stents v-if="stent.on" :plan="stent" :act="model.plan"></ffr-stents>
        <ffr-edits v-if="edit.on" :edit="edit" :act="model.edit" :names="values.names"></ffr-edits>
        <div class="picture curved" v-show="!tried"><canvas ref="curved" role="img" aria-label="Curved reformation"></canvas></div>
      </section>
    </main>
    <footer><span v-for="[key, what] in stent.on ? stentKeys : edit.on ? editKeys : keys"><kbd>{{ key }}</kbd> {{ what }}</span><span class="ruo">{{ values ? values.statement : "" }}</span></footer>
    <div class="tip" ref="tip" v-show="tip" :style="tip && { left: tip.x + 'px', top: tip.y + 'px' }"><b>{{ tip && tip.title }}</b><br>{{ tip && tip.text }}</div>
    <div class="unseen" aria-live="polite">{{ announced }}</div>
    <div v-if="error" class="error" role="alert">{{ error }}</div>
  </div>`;

  const data = () => ({
    values: null, lumen: null, error: "", ready: "", vessel: 0, angle: 0, window: 0, viewed: 0,
    here: null, tip: null, announced: "", mouse: MOUSE, keys: ns.KEYS, stentKeys: ns.STENT_KEYS, editKeys: ns.EDIT_KEYS,
    stent: { on: false, after: null, unkept: [] }, edit: { on: false, after: null, unkept: [] }, plaqueShown: true,
  });

  const words = {
    ffr: (x) => ns.ffrText(x),
    interval: (low, high) => ns.intervalText(low, high),
    symbol: (state) => ({ "above 0.80": "○", "0.76-0.80": "◐", "0.75 or below": "●", occluded: "✕" })[state] || "–",
    chance: (p) => (p === null ? "–" : p < 0.01 ? "< 1 %" : p > 0.99 ? "> 99 %" : `${Math.round(100 * p)} %`),
    signed: (x) => ns.signedText(x),
    waiting: (list) => (list.length ? ` · ${list.length} pending` : ""),
    percent: (x) => (x === null ? "–" : x.toFixed(0)),
    drop: (x) => (x === null ? "–" : x.toFixed(1)),
    lesionFfr: (x) => (x.state === "occluded" ? "occluded" : ns.ffrText(x.ffr_distal)),
    describe: (at) => `FFR ${ns.ffrText(at.ffr)} (95 % ${ns.intervalText(at.ffr_low, at.ffr_high)}) · ${at.s_mm.toFixed(1)} mm from the ostium · lumen ${at.diameter_mm.toFixed(2)} mm`,
  };

  const methods = {
    ...words,
    camera() { return this.$refs.view ? this.$refs.view.getCamera() : null; },
    setView(k) {
      this.viewed = k;
      const box = this.$refs.tree.getBoundingClientRect();
      const view = this.values.views[k];
      this.$refs.view?.setCamera(ns.cameraOf(this.values, view, box.width, box.height));
      this.fitted = { height: box.height, seen: this.seen() };
    },
    seen() { const c = this.camera(); return c && JSON.stringify([c.position, c.viewUp, c.parallelScale].flat().map((x) => Math.round(100 * x))); },
    // the trees fit their box again; turned or zoomed by hand they keep their size on the screen
    treeResized() {
      const { height } = this.$refs.tree.getBoundingClientRect();
      if (!this.fitted || !this.camera() || Math.abs(height - this.fitted.height) < 1) return;
      if (this.seen() === this.fitted.seen) { this.setView(this.viewed); return; }
      const camera = this.camera();
      this.$refs.view.setCamera({ ...camera, parallelScale: (camera.parallelScale * height) / this.fitted.height });
      this.fitted.height = height;
    },
    nextView() { this.setView((this.viewed + 1) % this.values.views.length); },
    resetView() { this.setView(0); },
    isChosen(lesion) {
      return Boolean(lesion.throat) && this.vessel === lesion.throat[0] && this.here.s_mm >= lesion.start_mm && this.here.s_mm <= lesion.end_mm;
    },
    lesionOf(change) { return this.values.lesions.find((x) => x.id === change.id); },
    // a way is called by its end; edits may have given that another name
    wayName(way) {
      const after = this.edit.on ? this.edit.after : null;
      if (!after) return way.name;
      const own = way.points.filter((p) => this.values.points.name[p] === way.name).map((p) => after.name[p]);
      const now = own.findLast((x) => x !== null);
      if (now === undefined) return `${way.name} → deleted`;
      return `${now === way.name ? now : `${way.name} → ${now}`}${own.at(-1) === null ? ", cut" : ""}`;
    },
    toLesion(lesion) { if (lesion.throat) this.model.moveTo(...lesion.throat); },

    build() {
      const { model, $refs: refs } = this;
      const parts = {
        straight0: new ns.Straight(refs.straight0, model, 0),
        straight90: new ns.Straight(refs.straight90, model, 90),
        names: new ns.Names(refs.names, model),
        ffrPlot: new ns.FfrPlot(refs.ffrPlot, model),
        diameterPlot: new ns.DiameterPlot(refs.diameterPlot, model),
        cross: new ns.Cross(refs.cross, model),
        curved: new ns.Curved(refs.curved, model),
        overlay: new ns.TreeOverlay(refs.overlay, model, () => this.camera()),
      };
      this.parts = parts;
      model.listeners.push((why) => this.update(why));
      ns.listenToMouse(this, parts);
      ns.listenToContour(refs.cross, model, parts.cross);
      ns.listenToKeys(model, this);
      const everything = new Set(["vessel"]);
      const { scale } = refs;
      this.resizing = [
        new ResizeObserver(() => { ns.drawScale(scale, model.values); this.update(everything); }),
        new ResizeObserver(() => this.treeResized()),
      ];
      [this.$el, refs.tree].forEach((element, k) => this.resizing[k].observe(element));
      const frame = () => { parts.overlay.follow(); requestAnimationFrame(frame); };
      frame();
    },

    // what has changed decides what is drawn: moving the cursor redraws no picture of the axis
    update(why) {
      const began = performance.now();
      const { model, parts } = this;
      if (why.has("vessel")) model.load(model.vessel).then(() => this.loadOthers());
      Object.assign(this, { vessel: model.vessel, angle: model.angle, window: model.window });
      this.here = model.here;
      if (why.has("tried")) this.updateTried();
      else if (model.edit.on) this.edit = ns.shownEdits(model.edit); // where the cursor is
      const moved = why.has("cursor") && why.size === 1 && model.zoom === 1;
      const planned = why.has("tried") && why.size === 1;
      if (planned) {
        for (const name of ["ffrPlot", "diameterPlot"]) parts[name].planned();
        for (const name of model.edit.on ? ["straight0", "straight90", "cross"] : []) parts[name].draw(why);
        parts.overlay.draw();
        ns.lastDrawMs = performance.now() - began;
        return;
      }
      if (!moved) {
        for (const name of ["straight0", "straight90"]) parts[name].draw(why);
        for (const name of ["names", "ffrPlot", "diameterPlot"]) parts[name].draw();
      } else {
        parts.ffrPlot.cursor();
        parts.diameterPlot.cursor();
      }
      parts.cross.draw();
      parts.curved.draw(why);
      parts.overlay.draw();
      const [first, last] = model.span;
      this.$refs.cursor.style.left = `${(100 * (model.here.s_mm - first)) / (last - first)}%`;
      clearTimeout(this.quiet);
      this.quiet = setTimeout(() => { this.announced = this.spoken; }, 600);
      ns.lastDrawMs = performance.now() - began;
    },

    // panel and table follow by themselves
    updateTried() {
      const { plan, edit } = this.model;
      const mode = () => [this.stent.on, this.edit.on].join();
      const was = mode();
      this.stent = ns.shownPlan(plan);
      this.edit = ns.shownEdits(edit);
      if (was !== mode()) Vue.nextTick(() => this.update(new Set(["vessel"]))); // canvases have another size
    },

    // the other vessels in turn, once the one that is looked at is here
    async loadOthers() {
      if (this.loading) return;
      this.loading = true;
      for (let k = 0; k < this.values.vessels.length; k += 1) await this.model.load(k);
      this.ready = "all";
    },
  };

  const app = {
    template: TEMPLATE,
    data,
    computed: {
      state() { return ns.stateOf(this.here.ffr); },
      withStent() {
        const after = this.stent.after, p = this.model.point;
        const change = after.change_low[p] === null ? "" : ` (${ns.signedText(after.change_low[p])}, ${ns.signedText(after.change_high[p])})`;
        const interval = after.ffr_low[p] === null ? "interval follows" : `95 % ${ns.intervalText(after.ffr_low[p], after.ffr_high[p])}`;
        if (after.ffr[p] === null) return "with virtual stent: not analysed";
        const by = this.here.ffr === null ? "" : `, change ${ns.signedText(after.ffr[p] - this.here.ffr)}${change}`;
        return `with virtual stent ${ns.ffrText(after.ffr[p])} (${interval})${by}`;
      },
      tried() { return this.stent.on ? this.stent : this.edit.on ? this.edit : null; },
      shownTrees() {
        if (!this.tried.after || !this.tried.shown) return `the result, without ${this.edit.on ? "edits" : "stents"}`;
        return `${this.edit.on ? "as edited by hand" : "with virtual stents"}, research use only`;
      },
      asEdited() {
        const after = this.edit.after, p = this.model.point;
        this.here; // the cursor
        if (after.name[p] === null) return "as edited: deleted";
        const name = after.name[p] === this.here.name ? "" : `${after.name[p]}, `;
        if (after.ffr[p] === null) return `as edited: ${name}${after.excluded.includes(p) ? "excluded by the reader" : "not analysed"}`;
        const interval = after.ffr_low[p] === null ? "interval follows" : `95 % ${ns.intervalText(after.ffr_low[p], after.ffr_high[p])}`;
        const by = this.here.ffr === null ? "" : `, change ${ns.signedText(after.ffr[p] - this.here.ffr)}`;
        return `as edited: ${name}${ns.ffrText(after.ffr[p])} (${interval})${by}, lumen ${after.diameter_mm[p].toFixed(2)} mm`;
      },
      // of the vessel that is looked at, in the words of the report
      plaque() {
        const { plaque, points, vessels } = this.values;
        const way = vessels[this.vessel];
        const passed = new Set(way.points.map((p) => points.segment[p]));
        const rows = plaque.segments.filter(([side, name]) => side === way.side && passed.has(name)).map((x) => [...x.slice(1), ""]);
        for (const id of way.lesions) if (plaque.lesions[id]) rows.push([`lesion ${id}`, ...plaque.lesions[id]]);
        // how much was measured and the volume of the vessel stand in the report
        const kept = (row) => row.filter((_, k) => k !== 1 && k !== 2);
        const fat = plaque.fat[way.name] || "fat is measured around the proximal RCA, LAD and LCx only";
        return { head: kept(plaque.head), rows: rows.map(kept), fat };
      },
      spoken() { return `${this.here.name}, ${this.describe(this.here)}`; },
    },
    methods,
    // a page that closes changes the sizes of what is on it once more
    beforeUnmount() { for (const one of this.resizing ?? []) one.disconnect(); },

    async mounted() {
      try {
        const values = Object.freeze(await ns.fetchJson("data/values.json"));
        this.model = new ns.Model(values);
        ns.model = this.model; // for tests
        [this.model.vessel, this.model.index] = values.start;
        Object.assign(this, { here: this.model.here, vessel: this.model.vessel, values: Vue.markRaw(values) });
        await Vue.nextTick();
        this.build();
        this.updateTried();
        ns.page = this;
        const lumen = await ns.fetchArrays("data/lumen");
        this.lumen = Vue.markRaw(Object.fromEntries(Object.entries(lumen).map(([k, v]) => [k, v.data])));
        await Vue.nextTick();
        this.setView(0);
        setTimeout(() => this.setView(this.viewed), 150); // vtk-view resets its camera after 100 ms
        if (!this.ready) this.ready = "trees";
      } catch (error) {
        this.error = `The page could not be built: ${error.message}. Is ffr view still running?`;
      }
    },
  };

  // hover and click: in the trees the vessel under the mouse, along the axis its millimetre
  ns.listenToMouse = (page, parts) => {
    const { model, $refs: refs } = page;
    const inside = (element, event) => {
      const box = element.getBoundingClientRect();
      return [event.clientX - box.left, event.clientY - box.top, box];
    };
    const tipAt = (event, point) => {
      if (point === null) { page.tip = null; return; }
      const at = model.at(point);
      const x = Math.min(event.clientX + 16, window.innerWidth - 330);
      const title = `${at.name}${at.segment && at.segment !== at.name ? `, ${at.segment}` : ""}`;
      page.tip = { x, y: event.clientY + 18, title, text: page.describe(at) };
    };
    let pressed = null;
    refs.tree.addEventListener("pointerdown", (event) => { pressed = [event.clientX, event.clientY]; page.tip = null; }, true);
    refs.tree.addEventListener("pointermove", (event) => {
      if (event.buttons) return;
      const [x, y] = inside(refs.overlay, event);
      tipAt(event, parts.overlay.pick(x, y));
    }, true);
    refs.tree.addEventListener("pointerleave", () => { page.tip = null; });
    refs.tree.addEventListener("pointerup", (event) => {
      if (!pressed || event.target.closest("button")) return;
      if (Math.hypot(event.clientX - pressed[0], event.clientY - pressed[1]) > CLICK_PX) return;
      const [x, y] = inside(refs.overlay, event);
      const point = parts.overlay.pick(x, y);
      if (point !== null) model.moveToPoint(point);
    }, true);

    const mmAt = (event) => {
      const [x, , box] = inside(refs.straight0, event);
      const [first, last] = model.span;
      return first + (x / box.width) * (last - first);
    };
    const drag = (event) => model.moveToMm(mmAt(event));
    // over the curves a drag is a stent's while stents are planned; a click is the cursor's
    const { plan } = model;
    refs.axis.addEventListener("pointerdown", (event) => {
      refs.axis.setPointerCapture(event.pointerId);
      const [first, last] = model.span;
      const near = (GRIP_PX * (last - first)) / refs.axis.getBoundingClientRect().width;
      if (plan.on && event.button === 0 && event.target.closest(".plot")) plan.grab(mmAt(event), near);
      else drag(event);
    });
    const end = (event) => { if (plan.drag && !plan.drop() && event.type === "pointerup") drag(event); };
    refs.axis.addEventListener("pointerup", end);
    refs.axis.addEventListener("pointercancel", end);
    refs.axis.addEventListener("pointermove", (event) => {
      if (event.buttons & 1) { page.tip = null; if (plan.drag) plan.dragTo(mmAt(event)); else drag(event); return; }
      tipAt(event, model.way.points[model.nearest(mmAt(event))]);
    });
    refs.axis.addEventListener("pointerleave", () => { page.tip = null; });
    refs.axis.addEventListener("wheel", (event) => {
      event.preventDefault();
      model.setZoom(model.zoom * (event.deltaY < 0 ? 1.25 : 0.8));
    }, { passive: false });
    const curved = (event) => {
      const [x, y] = inside(refs.curved, event);
      const index = parts.curved.nearest(x, y);
      if (index !== null) model.moveTo(model.vessel, index);
    };
    refs.curved.addEventListener("pointerdown", curved);
    refs.curved.addEventListener("pointermove", (event) => { if (event.buttons & 1) curved(event); });
  };

  ns.install = (vue) => {
    vue.component("ffr-stents", ns.StentPanel);
    vue.component("ffr-edits", ns.EditPanel);
    vue.component("ffr-view", app);
  };
})();
