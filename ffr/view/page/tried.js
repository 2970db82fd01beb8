// What is tried on a result, stents or edits: changed, undone, solved, its interval, kept.
"use strict";
(() => {
  const ns = (window.ffrView ||= {});
  const QUIET_MS = 700; // without a change, then the interval is asked for
  const SAME_EDIT_MS = 900; // further steps of the same kind are undone together

  const post = (ns.post = async (path, body) => {
    const answer = await fetch(path, { method: "POST", body, headers: { "Content-Type": "application/json" } });
    if (!answer.ok) throw new Error(await answer.text());
    return answer.json();
  });

  // A class of its own says what is tried: `list`, `body`, `state` (to undo), `words`. It is made
  // when the page is: the scripts come in any order.
  ns.Tried = class {
    constructor(model, path, words) {
      Object.assign(this, { model, path, words, on: false, shown: true, past: [], future: [] });
      Object.assign(this, { after: null, error: "", interval: "", keeping: "", kept: "" });
      Object.assign(this, { asking: false, wanted: false, drag: null, done: "", earlier: 0 });
      this.known = new Map(); // answers with intervals
      this.times = []; // ms from request to drawn
      this.server_s = [];
    }

    // what the trees show: null is the result
    get answer() { return this.on && this.shown ? this.after : null; }

    toggle() {
      const on = !this.on;
      for (const one of this.model.tries) one.on = false;
      this.on = on;
      if (on && this.list.length && !this.after && !this.asking) this.ask(); // left by an earlier page
      this.model.tell("tried");
    }

    // of an earlier page
    restore(list) {
      this.state = this.stateOf(list);
      this.earlier = list.length;
    }

    // what the file holds until it is kept or thrown away; an edit that does not fit is not in it
    get unkept() { return this.body === this.done ? [] : this.sound; }

    compare() { this.shown = !this.shown; this.model.tell("tried"); }

    // --- changes, each of which can be undone

    remember(kind) {
      this.earlier = 0;
      const now = performance.now();
      const again = kind && kind === this.lastKind && now - this.lastEdit < SAME_EDIT_MS;
      Object.assign(this, { lastKind: kind, lastEdit: now });
      if (again) return;
      this.past.push(this.state);
      this.future = [];
    }

    step(from, to) {
      if (!from.length) return;
      to.push(this.state);
      this.state = from.pop();
      this.lastKind = "";
      this.ask();
    }

    undo() { this.step(this.past, this.future); }
    redo() { this.step(this.future, this.past); }

    // --- answers

    // one request at a time; of those that come meanwhile only the last counts
    async ask() {
      Object.assign(this, { kept: "", interval: this.list.length ? "interval follows" : "" });
      this.wanted = true;
      this.model.tell("tried");
      if (this.asking) return;
      this.asking = true;
      while (this.wanted) {
        this.wanted = false;
        await this.askOnce();
      }
      this.asking = false;
      this.model.tell("tried");
      this.model.putDown();
      this.askLater();
    }

    async askOnce() {
      const body = this.body;
      if (!this.list.length) { this.take(null, ""); return; }
      const known = this.known.get(body);
      if (known) { this.take(known, ""); return; }
      const began = performance.now();
      try {
        const answer = await post(this.path, body);
        this.take(answer.error ? null : answer, answer.error || "", body);
        if (answer.error) return;
        this.server_s.push(answer.processor_s);
      } catch (error) {
        this.take(null, error.message, body);
        return;
      }
      await new Promise((drawn) => { requestAnimationFrame(() => setTimeout(drawn)); });
      this.times.push(performance.now() - began);
    }

    take(answer, error) {
      this.error = error;
      this.show(answer);
    }

    show(answer) {
      this.after = answer;
      this.interval = !answer ? "" : answer.resolved ? this.words.resolved(answer) : "interval follows";
      this.model.tell("tried");
    }

    askLater() {
      clearTimeout(this.later);
      if (this.after && !this.after.resolved) this.later = setTimeout(() => this.askInterval(), QUIET_MS);
    }

    async askInterval() {
      const body = this.body;
      if (this.drag || !this.after || this.after.resolved) return;
      this.interval = this.words.solving;
      this.model.tell("tried");
      let answer;
      try { answer = await post(`${this.path}/interval`, body); } catch (error) { answer = { error: error.message }; }
      if (!answer.error) this.known.set(body, answer);
      if (body !== this.body || this.asking) return;
      if (answer.superseded) { this.askLater(); return; }
      if (!answer.error) this.show(answer);
      else { this.interval = `no interval: ${answer.error}`; this.model.tell("tried"); }
    }

    async keep() {
      if (this.keeping || !this.list.length) return;
      const body = this.body;
      this.keeping = "is being solved and written …";
      this.model.tell("tried");
      let answer;
      try { answer = await post(`${this.path}/keep`, body); } catch (error) { answer = { error: error.message }; }
      const words = answer.error ? `not kept: ${answer.error}` : this.words.kept(answer.folder);
      if (!answer.error) this.done = body;
      this.model.putDown();
      if (body === this.body || answer.error) this.kept = words;
      else this.kept = `an earlier plan is ${words}`;
      this.keeping = "";
      this.model.tell("tried");
    }
  };
})();
