// How are virtual stents drawn: over the curves, in the trees, in a panel of their own?
"use strict";
(() => {
  const ns = (window.ffrView ||= {});
  ns.STENT = "#6a2fb5"; // all that is tried: stents, and edits by hand

  // over FFR or diameter: spans with handles, the second curve and its band
  ns.drawStents = (plot) => {
    const plan = plot.model.plan;
    if (!plan?.on) return;
    const make = ns.svg;
    plan.stents.forEach((stent, k) => {
      const ends = plan.on_way(stent);
      if (!ends) return;
      const [x0, x1] = ends.map((mm) => plot.x(mm));
      const chosen = k === plan.active;
      make("rect", { x: x0, y: 0, width: Math.max(x1 - x0, 1), height: plot.height, fill: ns.STENT, opacity: chosen ? 0.17 : 0.09, class: "stent-span" }, plot.layer);
      for (const x of [x0, x1]) {
        make("line", { x1: x, x2: x, y1: 0, y2: plot.height, stroke: ns.STENT, "stroke-width": chosen ? 2 : 1 }, plot.layer);
        make("rect", { x: x - 4, y: plot.height / 2 - 13, width: 8, height: 26, rx: 3, fill: chosen ? ns.STENT : "#fff", stroke: ns.STENT, "stroke-width": 1.5, class: "stent-handle" }, plot.layer);
      }
    });
  };

  // over the curves: what is tried, and what FFR and lumen are with it
  ns.drawTried = (plot) => {
    ns.drawStents(plot);
    ns.drawEdits(plot);
    const after = plot.model.tried?.after;
    if (!after) return;
    const pick = (name) => plot.model.way.points.map((p) => after[name][p]);
    if (plot.name === "ffr") {
      if (after.resolved) plot.band(pick("ffr_low"), pick("ffr_high"), { fill: ns.STENT, opacity: 0.16 }, plot.layer);
      plot.curve(pick("ffr"), { stroke: "#fff", "stroke-width": 5, opacity: 0.8 }, plot.layer);
      plot.curve(pick("ffr"), { stroke: ns.STENT, "stroke-width": 2.6, class: "ffr-after" }, plot.layer);
    } else {
      plot.curve(pick("diameter_mm"), { stroke: ns.STENT, "stroke-width": 2, class: "diameter-after" }, plot.layer);
    }
  };

  // the lowest point along the way, before and after, as far as needed for the axis
  ns.lowestAfter = (model) => {
    const answer = model.tried?.after;
    if (!answer) return [];
    return model.way.points.flatMap((p) => [answer.ffr[p], answer.ffr_low[p]]).filter((x) => x !== null);
  };

  // points of the trees, each once, in runs along a vessel that begin where they leave another
  const branches = (values) => {
    const taken = new Set(), found = [];
    for (const { points } of values.vessels) {
      const first = points.findIndex((p) => !taken.has(p));
      if (first < 0) continue;
      found.push(points.slice(Math.max(first - 1, 0)));
      points.forEach((p) => taken.add(p));
    }
    return found;
  };

  const COARSE = 200; // colours drawn apart from FFR 0 to 1

  // The trees with the FFR and lumen of a plan, over those of the result. Lines as wide as the
  // lumen: a surface coloured anew takes a processor that draws for WebGL seconds.
  ns.drawAfter = (context, model, place, scale) => {
    const plan = model.tried;
    if (!plan?.after) return;
    const { values } = model;
    const covered = new Set(plan.after.covered);
    model.branches ||= branches(values);
    const seen = model.branches.map((points) => ({ points, at: points.map((p) => place(p)) }));
    const depth = (x) => x.at.reduce((sum, z) => sum + z[2], 0) / x.at.length;
    seen.sort((a, b) => depth(a) - depth(b));
    const gone = new Set(plan.after.gone || []);
    for (const { points, at } of plan.shown ? seen : []) {
      const ffr = points.map((p) => plan.after.ffr[p]);
      const wide = points.map((p) => (plan.after.diameter_mm[p] ?? model.values.points.diameter_mm[p]) * scale + 1.5);
      const lines = (colour, width) => {
        let last = null;
        for (let k = 1; k < points.length; k += 1) {
          const style = [colour(k), Math.round(width(k))];
          if (`${style}` !== last) {
            if (last !== null) context.stroke();
            [context.strokeStyle, context.lineWidth] = style;
            context.beginPath();
            context.moveTo(at[k - 1][0], at[k - 1][1]);
            last = `${style}`;
          }
          context.lineTo(at[k][0], at[k][1]);
        }
        if (last !== null) context.stroke();
      };
      context.lineJoin = context.lineCap = "round";
      lines(() => "#5f6b79", (k) => wide[k] + 2);
      lines((k) => (gone.has(points[k]) ? "#fff" : ffr[k] === null ? values.not_analysed_colour : ns.ffrColour(values, (Math.floor(ffr[k] * COARSE) + 0.5) / COARSE)), (k) => wide[k]);
      lines(() => "rgba(255,255,255,.22)", (k) => wide[k] / 3);
    }
    context.lineCap = "butt";
    for (const { points, at } of seen) {
      points.forEach((p, k) => {
        if (!k || !covered.has(p) || !covered.has(points[k - 1])) return;
        context.strokeStyle = ns.STENT;
        context.lineWidth = Math.max(plan.after.diameter_mm[p] * scale * 0.4, 3);
        context.beginPath();
        context.moveTo(...at[k - 1].slice(0, 2));
        context.lineTo(...at[k].slice(0, 2));
        context.stroke();
      });
    }
  };

  const PANEL = `
  <div class="panel stents" role="region" aria-label="Virtual stents">
    <h2>Virtual stents <span class="ruo">virtual, research use only</span></h2>
    <p v-if="!plan.stents.length" class="hint">Drag a span over the curves, or press <kbd>a</kbd> for one at the cursor, or choose one below.</p>
    <ol class="placed"><li v-for="(x, k) in plan.stents">
      <button :aria-pressed="k === plan.active" @click="act.choose(k)">{{ x.vessel }} {{ x.from_mm.toFixed(1) }}–{{ x.to_mm.toFixed(1) }} mm · {{ width(k) }}</button>
      <button class="small" @click="act.remove(k)" :aria-label="'Remove stent ' + (k + 1)">✕</button>
    </li></ol>
    <div class="row" v-if="plan.active >= 0">
      <span>diameter <button class="small" @click="act.stepDiameter(-1)" aria-label="Narrower by 0.25 mm">−</button>
        <input type="number" min="1.5" max="6" step="0.05" :value="plan.diameter_mm === null ? '' : plan.diameter_mm.toFixed(2)" @change="act.setDiameter($event.target.value === '' ? null : +$event.target.value)" aria-label="Diameter of the stent's far end, mm"> mm
        <button class="small" @click="act.stepDiameter(1)" aria-label="Wider by 0.25 mm">+</button></span>
      <button :aria-pressed="plan.given === null" @click="act.setDiameter(null)">healthy reference</button>
    </div>
    <div class="row" v-if="plan.active >= 0">
      <span v-for="(name, end) in ['start', 'end']">{{ name }} <button class="small" @click="act.moveEnd(end, -1)" :aria-label="name + ' upstream'">◂</button><button class="small" @click="act.moveEnd(end, 1)" :aria-label="name + ' downstream'">▸</button></span>
    </div>
    <div class="row">
      <button @click="act.undo()" :disabled="!plan.past">undo ({{ plan.past }})</button><button @click="act.redo()" :disabled="!plan.future">redo ({{ plan.future }})</button>
      <button @click="act.clear()" :disabled="!plan.stents.length">remove all</button>
      <button class="keep" @click="act.keep()" :disabled="!plan.after || Boolean(plan.keeping)">keep as second result</button>
    </div>
    <p class="fine saved"><b v-if="plan.unsaved" class="wrong">{{ plan.unsaved }}</b><template v-else-if="plan.unkept.length">{{ plan.earlier ? "From an earlier page. " : "" }}Saved in the run's folder: closing the page loses nothing.</template></p>
    <p v-if="plan.error" class="wrong" role="alert">{{ plan.error }}</p>
    <p v-if="plan.keeping" class="hint">{{ plan.keeping }}</p><p v-if="plan.kept" class="kept" role="status">{{ plan.kept }}</p>
    <template v-if="plan.after">
      <p id="stent-interval" class="hint">{{ plan.interval }}</p>
      <p v-for="text in plan.after.warnings" class="wrong">⚠ {{ text }}</p>
      <p id="stent-lowest" v-if="plan.after.lowest[0] && plan.after.lowest[1]">lowest FFR <b>{{ ffr(plan.after.lowest[0].ffr) }}</b> ({{ plan.after.lowest[0].vessel }}) → <b>{{ ffr(plan.after.lowest[1].ffr) }}</b> ({{ plan.after.lowest[1].vessel }})<small> tips overstate, not for decision</small></p>
      <p><span v-for="(q, side) in plan.after.flow_ml_min" class="flow">flow, {{ side }}: {{ q[0].toFixed(0) }} → <b>{{ q[1].toFixed(0) }}</b> ml/min</span></p>
    </template>
    <h3>Which single stent changes FFR most?</h3>
    <p v-if="plan.ranking && plan.ranking.waiting" class="hint">is being solved …</p>
    <p v-if="plan.rankingError" class="wrong">{{ plan.rankingError }}</p>
    <ol class="ranking"><li v-for="x in plan.ranking ? plan.ranking.rows : []">
      <button :disabled="x.gain === null" @click="act.place(x)" :data-rank="x.lesion">lesion {{ x.lesion }}: {{ x.vessel }} {{ x.from_mm.toFixed(0) }}–{{ x.to_mm.toFixed(0) }} mm</button>
      <span v-if="x.gain !== null"> <b>{{ signed(x.gain) }}</b> at the {{ x.gain_vessel }}'s end: {{ ffr(x.ffr_before) }} → {{ ffr(x.ffr_after) }}</span><span v-else> {{ x.reason }}</span>
    </li></ol>
    <p v-if="plan.ranking && !plan.ranking.waiting && !plan.rankingError && !plan.ranking.rows.length" class="hint">No lesion to stent.</p>
    <p v-if="plan.ranking" class="fine">{{ plan.ranking.statement }}</p>
  </div>`;

  ns.signedText = (x) => (x === null ? "–" : Math.abs(x) < 0.005 ? "0.00" : `${x < -0.005 ? "−" : "+"}${Math.abs(Math.round(100 * x) / 100).toFixed(2)}`);

  ns.StentPanel = {
    template: PANEL,
    props: ["plan", "act"],
    methods: {
      ffr: (x) => ns.ffrText(x),
      signed: (x) => ns.signedText(x),
      width(k) {
        const stent = this.plan.stents[k], made = this.plan.after?.stents[k];
        if (!made) return stent.diameter_mm === null ? "healthy reference" : `${stent.diameter_mm.toFixed(2)} mm`;
        const ends = [made.proximal_diameter_mm, made.distal_diameter_mm].map((x) => x.toFixed(2));
        const wide = ends[0] === ends[1] ? ends[0] : ends.join("–");
        return `${wide} mm${stent.diameter_mm === null ? " (healthy reference)" : ""}`;
      },
    },
  };

  // what the page shows of a plan
  ns.shownPlan = (plan) => ({
    on: plan.on, shown: plan.shown, stents: plan.stents.map((x) => ({ ...x })), active: plan.active,
    past: plan.past.length, future: plan.future.length, diameter_mm: plan.diameter_mm,
    given: plan.stents[plan.active]?.diameter_mm ?? null, error: plan.error,
    after: plan.after ? Vue.markRaw(plan.after) : null, interval: plan.interval,
    keeping: plan.keeping, kept: plan.kept, ranking: plan.ranking ? Vue.markRaw(plan.ranking) : null,
    rankingError: plan.rankingError, unkept: plan.unkept, unsaved: plan.model.unsaved, earlier: plan.earlier,
  });
})();
