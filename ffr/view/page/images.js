// What does the scan look like along and across the picked vessel, at this turn and window?
"use strict";
(() => {
  const ns = (window.ffrView ||= {});
  const CROSS_MM = 6; // half width of the cross-section that is shown

  // The plane through the axis at an angle, out of the stack of cross-sections: (across, along).
  ns.cutAlong = (stack, angle) => {
    const [along, size] = stack.shape;
    const half = (size - 1) / 2;
    const found = new Float32Array(along * size);
    const data = stack.data;
    const right = Math.cos(angle), up = Math.sin(angle);
    for (let row = 0; row < size; row += 1) {
      const away = half - row; // the first row is the topmost
      const x = half + away * right, y = half + away * up;
      const x0 = Math.min(Math.max(Math.floor(x), 0), size - 2);
      const y0 = Math.min(Math.max(Math.floor(y), 0), size - 2);
      const u = x - x0, v = y - y0;
      const a = (1 - u) * (1 - v), b = u * (1 - v), c = (1 - u) * v, d = u * v;
      let at = y0 * size + x0;
      for (let k = 0; k < along; k += 1, at += size * size) {
        found[row * along + k] =
          a * data[at] + b * data[at + 1] + c * data[at + size] + d * data[at + size + 1];
      }
    }
    return found;
  };

  ns.Straight = class {
    constructor(canvas, model, extra) {
      this.canvas = canvas;
      this.model = model;
      this.extra = extra; // degrees beyond the model's turn
      this.cut = null;
    }

    draw(why) {
      const model = this.model;
      const { context, width, height } = ns.fitted(this.canvas);
      context.fillStyle = "#000";
      context.fillRect(0, 0, width, height);
      const arrays = model.images;
      const degrees = (model.angle + this.extra) % 360;
      if (!arrays) return missing(context, model, width, height);
      const angle = (degrees * Math.PI) / 180;
      const [first, last] = model.span;
      const scale = width / (last - first); // pixels per mm, the same across: true to scale
      if (arrays.across_hu) this.image(context, arrays, angle, why, -first * scale, height / 2, scale);
      else missing(context, model, width, 24);
      this.edges(context, arrays, angle, first, scale, height);
      ns.drawEditedEdges(context, model, angle, first, scale, height / 2);
      ns.note(context, `${degrees}°`, 6, 11);
      return undefined;
    }

    image(context, arrays, angle, why, x0, y0, scale) {
      const model = this.model;
      if (!this.cut || why.has("vessel") || why.has("images") || why.has("turn") || why.has("window")) {
        const [along, size] = arrays.across_hu.shape;
        const hu = ns.cutAlong(arrays.across_hu, angle);
        this.cut = ns.greyCanvas(along, size, hu, ns.greyTable(model.values.windows[model.window]));
      }
      const [step, across] = arrays.step_mm.data;
      context.save();
      context.translate(x0, y0);
      context.scale(scale * step, scale * across);
      context.drawImage(this.cut, -0.5, -this.cut.height / 2);
      context.restore();
    }

    edges(context, arrays, angle, first, scale, height) {
      const s = this.model.column("s_mm");
      context.strokeStyle = ns.CONTOUR;
      context.lineWidth = 1.2;
      for (const side of [0, 1]) {
        context.beginPath();
        s.forEach((mm, k) => {
          const r = ns.outlineAt(arrays.outline_mm, k, angle + side * Math.PI);
          context.lineTo((mm - first) * scale, height / 2 + (side ? r : -r) * scale);
        });
        context.stroke();
      }
      context.strokeStyle = ns.LESION;
      context.setLineDash([3, 4]);
      for (const lesion of lesionsOf(this.model)) {
        for (const mm of [lesion.start_mm, lesion.end_mm]) {
          context.beginPath();
          context.moveTo((mm - first) * scale, 0);
          context.lineTo((mm - first) * scale, height);
          context.stroke();
        }
      }
      context.setLineDash([]);
    }
  };

  const lesionsOf = (model) => model.values.lesions.filter((x) => model.way.lesions.includes(x.id));
  ns.lesionsOf = lesionsOf;

  function missing(context, model, width, height) {
    const failed = model.failed[model.vessel];
    let text = model.values.scanned ? "reading the scan …" : "no scan: the lumen came as a mask";
    if (failed) text = `no picture: ${failed}`;
    ns.note(context, text, width / 2, height / 2, { align: "center", colour: "#aab4c0" });
  }

  ns.Cross = class {
    constructor(canvas, model) { this.canvas = canvas; this.model = model; this.tables = []; }

    draw() {
      const model = this.model;
      const { context, width, height } = ns.fitted(this.canvas);
      context.fillStyle = "#000";
      context.fillRect(0, 0, width, height);
      const arrays = model.images;
      if (!arrays) return missing(context, model, width, height);
      const scale = Math.min(width, height) / (2 * CROSS_MM);
      this.scale = scale; // pixels per mm
      const x0 = width / 2, y0 = height / 2;
      if (arrays.across_hu) this.slice(context, arrays, x0, y0, scale);
      this.planes(context, x0, y0, Math.min(width, height) / 2);
      this.contour(context, arrays, x0, y0, scale);
      ns.drawEditedContour(context, model, x0, y0, scale);
      this.words(context, arrays, width, height, scale);
      return undefined;
    }

    slice(context, arrays, x0, y0, scale) {
      const [along, size] = arrays.across_hu.shape;
      const [step, across] = arrays.step_mm.data;
      const k = Math.min(Math.round(this.model.here.s_mm / step), along - 1);
      const hu = arrays.across_hu.data.subarray(k * size * size, (k + 1) * size * size);
      const which = this.model.window;
      this.tables[which] ||= ns.greyTable(this.model.values.windows[which]);
      const picture = ns.greyCanvas(size, size, hu, this.tables[which]);
      context.save();
      context.translate(x0, y0);
      context.scale(scale * across, -scale * across); // up is up
      context.drawImage(picture, -size / 2, -size / 2);
      context.restore();
    }

    planes(context, x0, y0, reach) {
      context.lineWidth = 1;
      [0, 90].forEach((extra) => {
        const degrees = (this.model.angle + extra) % 360;
        const angle = (degrees * Math.PI) / 180;
        const x = Math.cos(angle), y = -Math.sin(angle);
        context.strokeStyle = "rgba(255,255,255,.55)";
        for (const sign of [-1, 1]) {
          context.beginPath();
          context.moveTo(x0 + sign * 0.72 * reach * x, y0 + sign * 0.72 * reach * y);
          context.lineTo(x0 + sign * 0.84 * reach * x, y0 + sign * 0.84 * reach * y);
          context.stroke();
        }
        ns.note(context, `${degrees}°`, x0 + 0.92 * reach * x, y0 + 0.92 * reach * y, { align: "center", size: 10 });
      });
    }

    contour(context, arrays, x0, y0, scale) {
      context.strokeStyle = ns.CONTOUR;
      context.lineWidth = 1.6;
      context.beginPath();
      for (let j = 0; j <= 72; j += 1) {
        const angle = (j * Math.PI) / 36;
        const r = ns.outlineAt(arrays.outline_mm, this.model.index, angle) * scale;
        context.lineTo(x0 + r * Math.cos(angle), y0 - r * Math.sin(angle));
      }
      context.stroke();
    }

    words(context, arrays, width, height, scale) {
      const k = 3 * this.model.index;
      const right = arrays.right.data.subarray(k, k + 3);
      const up = arrays.up.data.subarray(k, k + 3);
      const side = Math.min(width, height) / 2;
      const style = { align: "center", size: 12, colour: "#ffe9a8" };
      ns.note(context, ns.letters(...right), width / 2 + side - 14, height - 12, { ...style, align: "right" });
      ns.note(context, ns.letters(...right.map((x) => -x)), width / 2 - side + 14, height - 12, { ...style, align: "left" });
      ns.note(context, ns.letters(...up), width / 2 + side - 14, 12, { ...style, align: "right" });
      ns.note(context, "→", width / 2 + side - 4, height - 12, { ...style, align: "right" });
      ns.note(context, "←", width / 2 - side + 2, height - 12, { ...style, align: "left" });
      ns.note(context, "↑", width / 2 + side - 4, 12, { ...style, align: "right" });
      ns.note(context, "cross-section", 8, 12);
      context.fillStyle = "#fff";
      context.fillRect(8, 40, 2 * scale, 2);
      ns.note(context, "2 mm", 8, 30);
    }
  };

  ns.Curved = class {
    constructor(canvas, model) { this.canvas = canvas; this.model = model; this.picture = null; }

    // number of the picture and whether it is mirrored
    get turn() {
      const turns = this.model.images.curved_at_mm.shape[0];
      const j = Math.round((this.model.angle / 180) * turns) % (2 * turns);
      return j < turns ? [j, false] : [j - turns, true];
    }

    // pixel of each point of the vessel in the picture, and its lumen's edges
    layout(width, height) {
      const arrays = this.model.images;
      const [tall, wide] = arrays.curved_size_mm.data;
      const scale = Math.min((height - 8) / (tall + 2), width / wide);
      const left = (width - wide * scale) / 2, top = 4 + scale;
      const [j, mirrored] = this.turn;
      const count = arrays.curved_at_mm.shape[2];
      const at = arrays.curved_at_mm.data.subarray(2 * j * count, 2 * (j + 1) * count);
      const edges = arrays.curved_edges_mm.data.subarray(2 * j * count, 2 * (j + 1) * count);
      const x = (mm) => (mirrored ? left + (wide - mm) * scale : left + mm * scale);
      const y = (mm) => top + mm * scale;
      return { scale, left, top, wide, j, mirrored, count, at, edges, x, y };
    }

    draw(why) {
      const { context, width, height } = ns.fitted(this.canvas);
      const model = this.model;
      context.fillStyle = "#000";
      context.fillRect(0, 0, width, height);
      if (!model.images) return missing(context, model, width, height);
      const place = this.layout(width, height);
      this.place = place;
      if (model.images.curved_hu) this.image(context, place, why);
      this.lumen(context, place);
      this.cursor(context, place, width);
      ns.note(context, `curved MPR, ${model.angle}°`, 8, 12);
      const way = [0, 1, 2].map((a) => model.images.curved_right.data[3 * place.j + a] * (place.mirrored ? -1 : 1));
      ns.note(context, `${ns.letters(...way)} →`, width - 6, height - 12, { align: "right", size: 12, colour: "#ffe9a8" });
      return undefined;
    }

    image(context, place, why) {
      const arrays = this.model.images;
      const [, rows, columns] = arrays.curved_hu.shape;
      if (!this.picture || [...why].some((x) => x !== "cursor" && x !== "zoom")) {
        const hu = arrays.curved_hu.data.subarray(place.j * rows * columns, (place.j + 1) * rows * columns);
        const table = ns.greyTable(this.model.values.windows[this.model.window]);
        this.picture = ns.greyCanvas(columns, rows, hu, table);
      }
      const pixel = arrays.step_mm.data[2] * place.scale;
      context.save();
      context.translate(place.x(0), place.top);
      context.scale(place.mirrored ? -pixel : pixel, pixel);
      context.drawImage(this.picture, -0.5, -0.5);
      context.restore();
    }

    lumen(context, { count, at, edges, x, y }) {
      const model = this.model;
      const spans = lesionsOf(model);
      const s = model.column("s_mm");
      const narrowed = s.map((mm) => spans.some((z) => mm >= z.start_mm && mm <= z.end_mm));
      for (const side of [0, 1]) {
        for (let k = 1; k < count; k += 1) {
          context.strokeStyle = narrowed[k] ? ns.LESION : ns.CONTOUR;
          context.lineWidth = narrowed[k] ? 1.8 : 1;
          context.beginPath();
          for (const m of [k - 1, k]) {
            const away = edges[side * count + m];
            context.lineTo(x(at[count + m] + (side ? away : -away)), y(at[m]));
          }
          context.stroke();
        }
      }
    }

    cursor(context, { count, at, x, y }, width) {
      const k = this.model.index;
      const px = x(at[count + k]), py = y(at[k]);
      context.strokeStyle = ns.CURSOR;
      context.lineWidth = 1.5;
      for (const [a, b] of [[0, px - 14], [px + 14, width]]) {
        context.beginPath();
        context.moveTo(a, py);
        context.lineTo(b, py);
        context.stroke();
      }
      context.beginPath();
      context.arc(px, py, 5, 0, 2 * Math.PI);
      context.stroke();
    }

    // the point of the vessel nearest to a place in the picture
    nearest(px, py) {
      if (!this.place) return null;
      const { count, at, x, y } = this.place;
      let best = null, least = Infinity;
      for (let k = 0; k < count; k += 1) {
        const far = Math.hypot(x(at[count + k]) - px, 2 * (y(at[k]) - py)); // rows count more
        if (far < least) { least = far; best = k; }
      }
      return best;
    }
  };
})();
