// What does a key do? Everything that the mouse can do with the cursor.
"use strict";
(() => {
  const ns = (window.ffrView ||= {});

  const FAR_MM = 5;
  const far = (model) => {
    const s = model.column("s_mm");
    const step = (s.at(-1) - s[0]) / Math.max(s.length - 1, 1);
    return Math.max(Math.round(FAR_MM / step), 1);
  };

  ns.KEYS = [
    ["←  →", "cursor (Shift: 5 mm)"], ["↑  ↓", "vessel"], ["n", "next lesion (Shift: last)"],
    ["d", "where its FFR is read"], ["r", "rotate (Shift: back)"], ["w", "grey window"],
    ["+  −", "zoom"], ["v", "3D view"], ["0", "reset"], ["s", "virtual stents"], ["e", "edit by hand"], ["Tab", "to every control"],
  ];
  ns.STENT_KEYS = [
    ["←  →", "cursor"], ["↑  ↓", "vessel"], ["n", "next lesion"], ["a", "stent at the cursor"],
    ["[  ]", "its start (Shift: its end)"], ["<  >", "diameter"], ["x", "remove it"], ["m", "choose next stent"],
    ["z", "undo (Shift: redo)"], ["b", "before / after"], ["s", "leave stents"], ["Tab", "to every control"],
  ];

  ns.EDIT_KEYS = [
    ["←  →", "cursor"], ["↑  ↓", "vessel"], ["n", "next lesion"], ["<  >", "lumen narrower, wider"], ["[  ]", "over a shorter, longer way"],
    ["z", "undo (Shift: redo)"], ["b", "before / after"], ["r", "rotate"], ["w", "grey window"], ["e", "leave edits"], ["Tab", "to every control"],
  ];

  // Does what a key asks for; false where it means nothing here.
  ns.act = (key, shift, model, view) => {
    const step = shift ? -1 : 1;
    const moves = {
      ArrowLeft: () => model.moveBy(shift ? -far(model) : -1),
      ArrowRight: () => model.moveBy(shift ? far(model) : 1),
      ArrowUp: () => model.nextVessel(-1),
      ArrowDown: () => model.nextVessel(1),
      Home: () => model.moveTo(model.vessel, 0),
      End: () => model.moveTo(model.vessel, Infinity),
      n: () => model.nextLesion(step),
      d: () => toReading(model),
      r: () => model.turnTo(model.angle + 15 * step),
      w: () => model.setWindow(model.window + 1),
      v: () => view.nextView(),
      "+": () => model.setZoom(model.zoom * 2),
      "=": () => model.setZoom(model.zoom * 2),
      "-": () => model.setZoom(model.zoom / 2),
      0: () => { model.reset(); view.resetView(); },
    };
    moves.s = () => model.plan.toggle();
    moves.e = () => model.edit.toggle();
    if (model.tried) Object.assign(moves, triedMoves(model.tried, shift));
    if (model.plan.on) Object.assign(moves, stentMoves(model.plan));
    if (model.edit.on) Object.assign(moves, editMoves(model.edit));
    const move = moves[key.length === 1 ? key.toLowerCase() : key];
    if (!move) return false;
    move();
    return true;
  };

  const triedMoves = (tried, shift) => ({
    z: () => (shift ? tried.redo() : tried.undo()),
    b: () => tried.compare(),
  });

  const editMoves = (edit) => ({
    "<": () => edit.nudge(-1),
    ">": () => edit.nudge(1),
    "[": () => edit.setLength(edit.length_mm - 1),
    "]": () => edit.setLength(edit.length_mm + 1),
    Escape: () => edit.cancelMove(),
  });

  const stentMoves = (plan) => ({
    a: () => plan.addHere(),
    x: () => plan.remove(),
    Delete: () => plan.remove(),
    m: () => plan.choose((plan.active + 1) % Math.max(plan.stents.length, 1)),
    "[": () => plan.moveEnd(0, -1),
    "]": () => plan.moveEnd(0, 1),
    "{": () => plan.moveEnd(1, -1),
    "}": () => plan.moveEnd(1, 1),
    "<": () => plan.stepDiameter(-1),
    ">": () => plan.stepDiameter(1),
  });

  // where the FFR of the lesion at or before the cursor is read
  function toReading(model) {
    const mm = model.here.s_mm;
    const before = ns.lesionsOf(model).filter((x) => x.read && x.start_mm <= mm + 1e-6);
    const lesion = before.at(-1) || ns.lesionsOf(model).find((x) => x.read);
    if (lesion) model.moveTo(...lesion.read);
  }

  // vtk.js listens for letters on the whole page (r: reset, w: wireframe): these are ours
  ns.listenToKeys = (model, view) => {
    const heard = (event) => {
      if (event.ctrlKey || event.altKey || event.metaKey) return;
      const typed = event.target.matches?.("input:not([type=range]), textarea, select");
      const slid = event.target.matches?.("input[type=range]") && event.key.startsWith("Arrow");
      if (typed || slid) return;
      if (event.type === "keydown") {
        if (!ns.act(event.key, event.shiftKey, model, view)) return;
        event.preventDefault();
      }
      if (!["Tab", "Enter", " ", "Escape"].includes(event.key)) event.stopImmediatePropagation();
    };
    for (const kind of ["keydown", "keypress", "keyup"]) window.addEventListener(kind, heard, true);
  };
})();
