// Where in the trees is the cursor, and what is under the mouse? Drawn over the 3D view.
"use strict";
(() => {
  const ns = (window.ffrView ||= {});
  const NEAR_PX = 14;

  const dot = (a, b) => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
  const minus = (a, b) => [a[0] - b[0], a[1] - b[1], a[2] - b[2]];
  const unit = (a) => { const n = Math.hypot(...a); return a.map((x) => x / n); };
  const cross = (a, b) => [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];

  // The camera that sees all points along a projection of values.views.
  ns.cameraOf = (values, view, width, height) => {
    const { at_mm: at } = values.points;
    const low = [Infinity, Infinity, Infinity], high = [-Infinity, -Infinity, -Infinity];
    const axes = [view.right, view.up, view.towards];
    for (let k = 0; k < at.length; k += 3) {
      axes.forEach((axis, a) => {
        const along = dot([at[k], at[k + 1], at[k + 2]], axis);
        low[a] = Math.min(low[a], along);
        high[a] = Math.max(high[a], along);
      });
    }
    const middle = [0, 1, 2].map((c) => axes.reduce((sum, axis, a) => sum + axis[c] * (low[a] + high[a]) / 2, 0));
    const half = Math.max((high[1] - low[1]) / 2, ((high[0] - low[0]) / 2) * (height / width));
    return {
      focalPoint: middle,
      position: middle.map((x, c) => x + 300 * view.towards[c]),
      viewUp: view.up,
      parallelProjection: true,
      parallelScale: 1.06 * half + 5,
      centerOfRotation: middle,
    };
  };

  ns.TreeOverlay = class {
    constructor(canvas, model, camera) {
      this.canvas = canvas;
      this.model = model;
      this.camera = camera; // function: the camera of the 3D view
      this.seen = "";
      this.hovered = null;
    }

    // draws again where the camera has moved; called before every frame
    follow() {
      const camera = this.camera();
      if (!camera) return;
      const box = this.canvas.getBoundingClientRect();
      const seen = JSON.stringify([camera.position, camera.focalPoint, camera.viewUp, camera.parallelScale, box.width, box.height]);
      if (seen === this.seen) return;
      this.seen = seen;
      this.draw();
    }

    project() {
      const camera = this.camera();
      const box = this.canvas.getBoundingClientRect();
      const towards = unit(minus(camera.position, camera.focalPoint));
      const right = unit(cross(camera.viewUp, towards));
      const up = cross(towards, right);
      const scale = box.height / (2 * camera.parallelScale);
      const at = this.model.values.points.at_mm;
      this.scale = scale;
      return (point) => {
        const away = minus([at[3 * point], at[3 * point + 1], at[3 * point + 2]], camera.focalPoint);
        return [box.width / 2 + scale * dot(away, right), box.height / 2 - scale * dot(away, up), dot(away, towards)];
      };
    }

    // the point of the trees under a place: the foremost lumen there, else the nearest
    pick(x, y) {
      if (!this.camera()) return null;
      const place = this.project();
      const diameters = this.model.values.points.diameter_mm;
      let best = null, depth = -Infinity, near = null, least = NEAR_PX;
      for (let k = 0; k < diameters.length; k += 1) {
        const [px, py, z] = place(k);
        const far = Math.hypot(px - x, py - y);
        if (far < least) { least = far; near = k; }
        if (far <= (diameters[k] / 2) * this.scale + 2 && z > depth) { depth = z; best = k; }
      }
      if (best === null) return near;
      // of the lumen found, the point nearest to the mouse
      const same = [];
      for (let k = 0; k < diameters.length; k += 1) {
        const [px, py, z] = place(k);
        if (Math.abs(z - depth) < 4) same.push([Math.hypot(px - x, py - y), k]);
      }
      return same.sort((a, b) => a[0] - b[0])[0][1];
    }

    draw() {
      const model = this.model;
      const { context } = ns.fitted(this.canvas);
      if (!this.camera()) return;
      const place = this.project();
      ns.drawAfter(context, model, place, this.scale);
      ns.drawLinks(context, model, place);
      this.way(context, place);
      this.taken = [];
      this.lesions(context, place);
      this.names(context, place);
      const [x, y] = place(model.point);
      context.strokeStyle = ns.CURSOR;
      context.lineWidth = 2.5;
      context.beginPath();
      context.arc(x, y, 8, 0, 2 * Math.PI);
      context.moveTo(x - 14, y); context.lineTo(x - 8, y);
      context.moveTo(x + 8, y); context.lineTo(x + 14, y);
      context.stroke();
    }

    way(context, place) {
      context.strokeStyle = "rgba(22,32,44,.6)";
      context.lineWidth = 1.5;
      context.beginPath();
      for (const point of this.model.way.points) context.lineTo(...place(point).slice(0, 2));
      context.stroke();
    }

    label(context, text, x, y, style) {
      context.font = `600 ${style.size}px system-ui, sans-serif`;
      const half = context.measureText(text).width / 2 + 3;
      const tall = style.size / 2 + 2;
      for (const [dx, dy] of [[0, 0], [0, -18], [0, 18], [half + 12, 0], [-half - 12, 0]]) {
        const box = [x + dx - half, y + dy - tall, x + dx + half, y + dy + tall];
        if (this.taken.some((b) => box[0] < b[2] && box[2] > b[0] && box[1] < b[3] && box[3] > b[1])) continue;
        this.taken.push(box);
        ns.note(context, text, x + dx, y + dy, { align: "center", halo: "rgba(255,255,255,.95)", ...style });
        return;
      }
    }

    lesions(context, place) {
      const { values } = this.model;
      for (const lesion of values.lesions) {
        if (!lesion.throat) continue;
        const [vessel, index] = lesion.throat;
        const [x, y] = place(values.vessels[vessel].points[index]);
        context.strokeStyle = ns.INK;
        context.lineWidth = 1.6;
        context.beginPath();
        context.arc(x, y, 11, 0, 2 * Math.PI);
        context.stroke();
        const told = (state, ffr) => (state === "occluded" ? "occluded" : ffr === null ? "n/a" : ns.ffrText(ffr));
        const after = this.model.tried?.answer?.lesions.find((z) => z.id === lesion.id);
        const colour = values.state_colours[after ? after.state_after : lesion.state];
        const value = told(lesion.state, lesion.ffr_distal) + (after ? ` → ${told(after.state_after, after.ffr_after)}` : "");
        this.label(context, `${lesion.id}: ${value}`, x + (after ? 60 : 36), y - 14, { colour, size: 14 });
      }
    }

    names(context, place) {
      const { points, vessels } = this.model.values;
      const edited = this.model.edit.answer;
      const given = edited ? edited.name : points.name;
      if (this.named !== given) {
        this.named = given;
        this.own = new Map();
        given.forEach((name, k) => {
          const vessel = points.vessel[k] >= 0 ? vessels[points.vessel[k]].side : "";
          const key = `${edited ? edited.side[k] : vessel} ${name}`;
          if (!this.own.has(key)) this.own.set(key, []);
          this.own.get(key).push(k);
        });
      }
      for (const list of this.own.values()) {
        const middle = list[Math.floor(0.55 * list.length)];
        const [x, y] = place(middle);
        const text = given[middle] ?? "deleted";
        this.label(context, text, x, y - 14, { colour: given[middle] === points.name[middle] ? ns.INK : ns.STENT, size: 12 });
      }
    }
  };

  // the colour scale beside the trees
  ns.drawScale = (canvas, values) => {
    const { context, width } = ns.fitted(canvas);
    const [left, right] = [36, width - 116];
    const x = (ffr) => left + ((ffr - 0.5) / 0.5) * (right - left);
    for (let px = left; px < right; px += 1) {
      context.fillStyle = ns.ffrColour(values, 0.5 + (0.5 * (px + 0.5 - left)) / (right - left));
      context.fillRect(px, 4, 1, 12);
    }
    context.fillStyle = values.not_analysed_colour;
    context.fillRect(width - 96, 4, 14, 12);
    context.fillStyle = ns.INK;
    context.textBaseline = "middle";
    context.textAlign = "center";
    for (const [value, at, bold] of [[0.5, 0.5], [0.6, 0.6], [0.7, 0.7], [0.75, 0.755, 1], [0.8, 0.805, 1], [0.9, 0.9], [1, 1]]) {
      context.font = `${bold ? 700 : 400} 11px system-ui, sans-serif`;
      context.fillText(value.toFixed(2), x(at) + (value === 0.75 ? -8 : value === 0.8 ? 8 : 0), 25);
      context.fillRect(x(at) - 0.5, 4, bold ? 2 : 1, 14);
    }
    context.textAlign = "left";
    context.font = "700 12px system-ui, sans-serif";
    context.fillText("FFR", 4, 11);
    context.font = "11px system-ui, sans-serif";
    context.fillText("not analysed", width - 78, 11);
  };
})();
