// How are edits by hand drawn: over the curves, in pictures and trees, in a panel of their own?
"use strict";
(() => {
  const ns = (window.ffrView ||= {});
  const NEAR_PX = 12; // of the contour, to pull it
  ns.EDITED = "#cda9ff"; // over dark pictures

  // over the curves: what is deleted or excluded, and where a nudge would reach
  ns.drawEdits = (plot) => {
    const { edit } = plot.model;
    if (!edit.on) return;
    const { after } = edit;
    for (const [name, word] of after ? [["gone", "deleted"], ["excluded", "excluded"]] : []) {
      const marked = new Set(after[name]);
      for (const run of ns.runs(plot.model.way.points.map((p) => (marked.has(p) ? p : null)))) {
        const x = plot.x(plot.s[run[0]]), width = Math.max(plot.x(plot.s[run.at(-1)]) - x, 2);
        ns.svg("rect", { x, y: 0, width, height: plot.height, fill: "url(#hatch)", opacity: 0.75, stroke: ns.STENT, class: `edit-${name}` }, plot.layer);
        if (plot.name === "ffr") ns.svg("text", { x: x + width / 2, y: plot.height - 12, class: "reading halo", fill: ns.STENT, "text-anchor": "middle" }, plot.layer, word);
      }
    }
    if (plot.name !== "diameter_mm") return;
    plot.reach = ns.svg("rect", { y: 0, height: plot.height, fill: ns.STENT, opacity: 0.16, class: "edit-reach" }, plot.layer);
    ns.moveReach(plot);
  };

  ns.moveReach = (plot) => {
    const { edit } = plot.model;
    if (!edit.on || !plot.reach) return;
    const ends = edit.reach;
    plot.reach.setAttribute("x", ends ? plot.x(ends[0]) : 0);
    plot.reach.setAttribute("width", ends ? Math.max(plot.x(ends[1]) - plot.x(ends[0]), 2) : 0);
  };

  // over a straightened picture: edges of the lumen as edited
  ns.drawEditedEdges = (context, model, angle, first, scale, middle) => {
    const { edit } = model;
    const made = edit.answer?.outlines[model.vessel];
    if (!made) return;
    const s = model.column("s_mm");
    const radii = (k) => ({ data: made[k], shape: [1, made[k].length] });
    context.strokeStyle = ns.EDITED;
    context.lineWidth = 2;
    for (const side of [0, 1]) {
      context.beginPath();
      let last = null;
      for (const k of Object.keys(made).map(Number)) {
        const r = ns.outlineAt(radii(k), 0, angle + side * Math.PI) * scale;
        const at = [(s[k] - first) * scale, middle + (side ? r : -r)];
        if (last === k - 1) context.lineTo(...at); else context.moveTo(...at);
        last = k;
      }
      context.stroke();
    }
  };

  // in the cross-section: the contour as edited, or as it is being pulled
  ns.drawEditedContour = (context, model, x0, y0, scale) => {
    const { edit } = model;
    if (!edit.on || !model.images) return;
    const [radii, edited] = edit.outline();
    if (!edited && !edit.pull) {
      ns.note(context, "drag the contour to move the wall", 8, y0 * 2 - 30, { colour: ns.EDITED });
      return;
    }
    context.strokeStyle = ns.EDITED;
    context.lineWidth = 2.2;
    context.beginPath();
    for (let j = 0; j <= 72; j += 1) {
      const angle = (j * Math.PI) / 36;
      let r = ns.outlineAt({ data: radii, shape: [1, radii.length] }, 0, angle);
      if (edit.pull) r = Math.max(r + edit.pull.by_mm * edit.share(angle), 0.05);
      context.lineTo(x0 + r * scale * Math.cos(angle), y0 - r * scale * Math.sin(angle));
    }
    context.stroke();
    const word = edit.pull ? `${edit.pull.by_mm < 0 ? "−" : "+"}${Math.abs(edit.pull.by_mm).toFixed(2)} mm` : "as edited";
    ns.note(context, word, 8, y0 * 2 - 30, { colour: ns.EDITED, size: edit.pull ? 15 : 11 });
  };

  // take-offs of branches that were moved, over the trees
  ns.drawLinks = (context, model, place) => {
    const { edit } = model;
    context.strokeStyle = ns.STENT;
    context.lineWidth = 3;
    context.setLineDash([6, 4]);
    for (const pair of edit.answer?.links || []) {
      context.beginPath();
      for (const p of pair) context.lineTo(...place(p).slice(0, 2));
      context.stroke();
    }
    context.setLineDash([]);
  };

  // pulling the contour in the cross-section
  ns.listenToContour = (canvas, model, cross) => {
    const { edit } = model;
    const polar = (event) => {
      const box = canvas.getBoundingClientRect();
      const x = event.clientX - box.left - box.width / 2, y = box.top + box.height / 2 - event.clientY;
      return [Math.atan2(y, x), Math.hypot(x, y) / cross.scale];
    };
    const onWall = (event) => {
      if (!edit.on || edit.asking || !model.images || !edit.at) return null;
      const [angle, r] = polar(event);
      const [radii] = edit.outline();
      const wall = ns.outlineAt({ data: radii, shape: [1, radii.length] }, 0, angle);
      return Math.abs(r - wall) * cross.scale <= NEAR_PX ? [angle, r] : null;
    };
    canvas.addEventListener("pointerdown", (event) => {
      const found = onWall(event);
      if (!found) return;
      canvas.setPointerCapture(event.pointerId);
      edit.grabWall(...found);
    });
    canvas.addEventListener("pointermove", (event) => {
      if (edit.pull) edit.pullTo(polar(event)[1]);
      else canvas.style.cursor = onWall(event) ? "grab" : "";
    });
    canvas.addEventListener("pointerup", () => { if (edit.pull) edit.dropWall(); });
    canvas.addEventListener("pointercancel", () => { edit.pull = null; model.tell("tried"); });
  };

  const PANEL = `
  <div class="panel edits" role="region" aria-label="Edit by hand">
    <h2>Edit by hand <span class="ruo">research use only</span></h2>
    <p v-if="!edit.at" class="hint" id="edit-at">The cursor is on a part that is deleted.</p>
    <template v-else>
      <p id="edit-at">At the cursor: <b>{{ edit.at.vessel }}</b>, {{ edit.at.s_mm.toFixed(1) }} mm from the ostium, lumen <b>{{ edit.at.diameter_mm.toFixed(2) }} mm</b></p>
      <div class="row"><b class="what">{{ edit.at.vessel }}</b>
        <span><select v-model="name" aria-label="New name"><option value="" disabled>new name</option><optgroup v-for="(list, side) in names" :label="side + ' tree'"><option v-for="[x, words] in list" :value="x">{{ x }}{{ words ? ", " + words : "" }}</option></optgroup></select>
        <button :disabled="edit.asking || !name" data-do="relabel" @click="act.relabel(name)">rename</button></span>
        <button :disabled="edit.asking" data-do="exclude" title="No FFR in it and in what branches off; blood flows as before" @click="act.exclude()">exclude</button>
        <button :disabled="edit.asking" data-do="delete" title="It is no artery, with all that branches off" @click="act.deleteVessel()">delete</button>
      </div>
      <div class="row"><b class="what">lumen</b>
        <button data-do="narrower" @click="act.nudge(-1)" aria-label="Lumen narrower by 0.1 mm">− 0.1 mm</button><button data-do="wider" @click="act.nudge(1)" aria-label="Lumen wider by 0.1 mm">+ 0.1 mm</button>
        <label>along <input type="number" min="1" max="40" step="1" :value="edit.length_mm" @change="act.setLength(+$event.target.value)" aria-label="Length along which the wall is moved, mm"> mm</label>
      </div>
      <div class="row"><b class="what">behind</b>
        <span><select v-model="behind" aria-label="Name of the part behind"><option value="" disabled>its name</option><optgroup v-for="(list, side) in names" :label="side + ' tree'"><option v-for="[x, words] in list" :value="x">{{ x }}{{ words ? ", " + words : "" }}</option></optgroup></select>
        <button :disabled="edit.asking || !behind" data-do="split" @click="act.split(behind)">split here</button></span>
        <button :disabled="edit.asking" data-do="cut" @click="act.deleteBehind()">delete from here on</button>
      </div>
      <div class="row"><b class="what">take-off</b>
        <button v-if="!edit.moving" :disabled="edit.asking" data-do="move" @click="act.startMove()">move where the {{ edit.at.vessel }} springs from …</button>
        <template v-else><span>put the cursor where the <b>{{ edit.moving.vessel }}</b> springs from</span>
          <button :disabled="edit.asking" data-do="here" @click="act.springHere()">here: {{ edit.at.vessel }}, {{ edit.at.s_mm.toFixed(1) }} mm</button><button data-do="cancel" @click="act.cancelMove()">cancel</button></template>
      </div>
    </template>
    <p v-if="edit.error" class="wrong" role="alert">{{ edit.error }}</p>
    <h3>{{ edit.count ? edit.count + " pending edit" + (edit.count === 1 ? "" : "s") : "No edits yet: the automatic result" }}<span v-if="edit.asking" class="hint"> · is being solved …</span></h3>
    <ol class="pending"><li v-for="[what, ...said] in edit.said"><b>{{ what }}</b><br><small>{{ said.join("; ") }}</small></li></ol>
    <div class="row">
      <button data-do="undo" @click="act.undo()" :disabled="!edit.past">undo ({{ edit.past }})</button><button data-do="redo" @click="act.redo()" :disabled="!edit.future">redo ({{ edit.future }})</button>
      <button @click="act.clear()" :disabled="!edit.count">remove all</button>
      <button class="keep" @click="act.keep()" :disabled="!edit.after || edit.asking || Boolean(edit.keeping)">keep as edited result</button>
    </div>
    <p class="fine saved"><b v-if="edit.unsaved" class="wrong">{{ edit.unsaved }}</b><template v-else-if="edit.unkept.length">{{ edit.earlier ? "From an earlier page. " : "" }}Saved in the run's folder: closing the page loses nothing.</template></p>
    <p v-if="edit.keeping" class="hint">{{ edit.keeping }}</p><p v-if="edit.kept" class="kept" role="status">{{ edit.kept }}</p>
    <template v-if="edit.after">
      <p id="edit-interval" class="hint">{{ edit.interval }}</p>
      <p id="edit-lowest" v-if="edit.after.lowest[0] && edit.after.lowest[1]">lowest FFR <b>{{ ffr(edit.after.lowest[0].ffr) }}</b> ({{ edit.after.lowest[0].vessel }}) → <b>{{ ffr(edit.after.lowest[1].ffr) }}</b> ({{ edit.after.lowest[1].vessel }})<small> tips overstate, not for decision</small></p>
      <p><span v-for="(q, side) in edit.after.flow_ml_min" class="flow">flow, {{ side }}: {{ q[0].toFixed(0) }} → <b>{{ q[1].toFixed(0) }}</b> ml/min</span></p>
    </template>
    <p class="fine">The automatic result is never changed. Keeping writes a second one with its own report, which lists each edit with the numbers before and after.</p>
  </div>`;

  ns.EditPanel = {
    template: PANEL,
    props: ["edit", "act", "names"],
    data: () => ({ name: "", behind: "" }),
    methods: { ffr: (x) => ns.ffrText(x) },
  };

  // what the page shows of edits
  ns.shownEdits = (edit) => ({
    on: edit.on, shown: edit.shown, at: edit.on ? edit.at : null, count: edit.edits.length,
    unkept: edit.unkept, unsaved: edit.model.unsaved, earlier: edit.earlier,
    said: edit.after?.edits.slice().reverse() || [], past: edit.past.length, future: edit.future.length,
    length_mm: edit.length_mm, moving: edit.moving, asking: edit.asking, error: edit.error,
    after: edit.after ? Vue.markRaw(edit.after) : null, interval: edit.interval, keeping: edit.keeping, kept: edit.kept,
  });
})();
