// How do numbers become colours and pixels? Shared by all canvases.
"use strict";
(() => {
  const ns = (window.ffrView ||= {});

  ns.INK = "#16202c";
  ns.CONTOUR = "#ffd23f";
  ns.LESION = "#8fd3ff";
  ns.CURSOR = "#ff4fd8";

  ns.ffrColour = (values, ffr) => {
    if (ffr === null) return values.not_analysed_colour;
    const k = Math.floor(ffr * values.colours.length);
    return values.colours[Math.min(Math.max(k, 0), values.colours.length - 1)];
  };

  // grey of a value in HU within a window [name, width, level]
  ns.greyTable = ([, width, level]) => {
    const table = new Uint8ClampedArray(65536);
    for (let hu = -32768; hu < 32768; hu += 1) {
      table[hu + 32768] = (255 * (hu - level + width / 2)) / width;
    }
    return table;
  };

  ns.greyCanvas = (width, height, hu, table) => {
    const canvas = document.createElement("canvas");
    canvas.width = width;
    canvas.height = height;
    const context = canvas.getContext("2d");
    const picture = context.createImageData(width, height);
    const bytes = picture.data;
    for (let i = 0; i < hu.length; i += 1) {
      const grey = table[Math.round(hu[i]) + 32768];
      const at = 4 * i;
      bytes[at] = grey; bytes[at + 1] = grey; bytes[at + 2] = grey; bytes[at + 3] = 255;
    }
    context.putImageData(picture, 0, 0);
    return canvas;
  };

  // a canvas as large as it is on the screen; returns context, width and height in CSS pixels
  ns.fitted = (canvas) => {
    const box = canvas.getBoundingClientRect();
    const scale = window.devicePixelRatio || 1;
    const width = Math.max(Math.round(box.width * scale), 1);
    const height = Math.max(Math.round(box.height * scale), 1);
    if (canvas.width !== width || canvas.height !== height) {
      canvas.width = width;
      canvas.height = height;
    }
    const context = canvas.getContext("2d");
    context.setTransform(scale, 0, 0, scale, 0, 0);
    context.clearRect(0, 0, box.width, box.height);
    context.imageSmoothingQuality = "high";
    return { context, width: box.width, height: box.height };
  };

  ns.note = (context, text, x, y, { colour = "#fff", align = "left", size = 11, halo = "rgba(0,0,0,.75)" } = {}) => {
    context.font = `600 ${size}px system-ui, sans-serif`;
    context.textAlign = align;
    context.textBaseline = "middle";
    context.lineWidth = 3;
    context.lineJoin = "round";
    context.strokeStyle = halo;
    context.strokeText(text, x, y);
    context.fillStyle = colour;
    context.fillText(text, x, y);
  };

  // patient directions of a vector: one or two letters, as ffr.report.scene.edge_letters
  ns.letters = (x, y, z) => {
    const names = [["R", "L"], ["A", "P"], ["F", "H"]];
    const way = [x, y, z];
    return [0, 1, 2]
      .sort((a, b) => Math.abs(way[b]) - Math.abs(way[a]))
      .filter((k) => Math.abs(way[k]) > 0.35)
      .map((k) => names[k][way[k] > 0 ? 1 : 0])
      .join("");
  };

  // an outline (rows of even rays) at point k and an angle in radians
  ns.outlineAt = (outline, k, angle) => {
    const rays = outline.shape[1];
    const at = ((((angle / (2 * Math.PI)) % 1) + 1) % 1) * rays;
    const j = Math.floor(at);
    const part = at - j;
    const row = k * rays;
    return (1 - part) * outline.data[row + (j % rays)] + part * outline.data[row + ((j + 1) % rays)];
  };
})();
