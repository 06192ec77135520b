// Buses in traces: sigrok's decoders, which the program runs, as lanes under the lines.

import { el } from "./controls.js";

/** Statuses of what will not be decoded, however often it is asked for: a wrong decoder, or none at all. */
const FINAL = [422, 501];
export const LANE_HEIGHT = 22;

/** What was found in which trace. */
export class Decoders {
  constructor(app) {
    this.app = app;
    this.found = null;
    this.failure = "";
    /** What was last asked for and could not be decoded. */
    this.failed = null;
    this.isBusy = false;
    /** What will not be decoded. */
    this.refused = "";
    /** All that sigrok has, once that was asked for; a text where there are none. */
    this.known = null;
  }

  get wanted() {
    return this.app.view.decoders;
  }

  /** The lanes of a trace that is shown. */
  lanesOf(trace) {
    const { found } = this;
    if (!trace || !found || this.wanted.length === 0 || found.seq !== trace.seq || trace.rolling) return [];
    // A roll that has stopped shows what came before its last gap as well.
    const offset = trace.begins ?? 0;
    return found.lanes.map((lane) => ({ ...lane, offset }));
  }

  /** Decodes a trace, unless nothing is wanted, or something is being decoded. */
  async decode(trace) {
    const { wanted } = this;
    const { transport } = this.app;
    if (wanted.length === 0 || !trace || trace.rolling || !transport?.decode || this.isBusy) return;
    if (this.found?.seq === trace.seq && this.found.wanted === wanted) return;
    if (this.failed?.seq === trace.seq && this.failed.wanted === wanted) return;
    const key = JSON.stringify([wanted, trace.changes]);
    if (key === this.refused) return;
    this.isBusy = true;
    try {
      const found = await transport.decode(trace.seq, wanted);
      this.found = { ...found, wanted, trace };
      this.failure = "";
    } catch (error) {
      // It may be none of the last traces any more.
      this.failure = error.message;
      this.failed = { seq: trace.seq, wanted };
      if (FINAL.includes(error.status)) this.refused = key;
    } finally {
      this.isBusy = false;
      this.app.decoded();
    }
  }

  /** Something else is to be decoded. */
  changed() {
    this.refused = "";
    this.failure = "";
    this.failed = null;
  }

  /** What was found is of a device that numbered its traces in its own way. */
  forget() {
    this.found = null;
    this.changed();
  }

  /** Asks what there is, once. */
  async ask(update) {
    if (this.known !== null) return;
    const { transport } = this.app;
    if (!transport.decoders) {
      this.known = "Decoders need the program: “scopething serve --web” on a computer with sigrok-cli shows this page with them.";
    } else {
      this.known = [];
      try {
        this.known = await transport.decoders();
      } catch (error) {
        this.known = error.message;
      }
    }
    update();
  }
}

/** A decoder as it is written, with the lines that are there in the order of its channels. */
export function template({ id, required_channels: required, optional_channels: optional, takes_logic: takesLogic, options }, lines) {
  if (!takesLogic) return `${id}`;
  const channels = required.length > 0 ? required : optional.slice(0, 1);
  const given = channels.map((channel, index) => `${channel}=${lines[index] ?? `L${index}`}`);
  if (options.some((option) => option.startsWith("baudrate:"))) given.push("baudrate=9600");
  return given.length > 0 ? `${id}:${given.join(",")}` : id;
}

/** What a decoder takes, in words. */
export function words({ required_channels: required, optional_channels: optional, options, takes_logic: takesLogic, id }) {
  const list = (names) => names.join(", ");
  return [
    takesLogic ? "" : `${id} is stacked on another decoder: i2c:scl=L0,sda=L1,${id}.`,
    required.length ? `Needs ${list(required)}.` : "", optional.length ? `Takes ${list(optional)}.` : "",
    options.length ? `Options: ${options.join("; ")}.` : "",
  ].filter(Boolean).join(" ");
}

export function decoderCard(panel) {
  const { app } = panel;
  const own = app.decoders;
  const field = el("input", { type: "text", id: "decoder", spellcheck: false, autocomplete: "off", placeholder: "uart:rx=L1,baudrate=9600" });
  const hint = el("p", { className: "hint", id: "decoder-hint" });
  const failure = el("p", { className: "hint failure", role: "status", id: "decoder-failure" });
  const list = el("ul", { className: "list", id: "decoders" });
  const choices = el("select", { id: "decoder-choice" });
  const inputs = el("div", {},
    el("div", { className: "rows" }, el("label", { for: "decoder-choice" }, "Known"), choices, el("label", { for: "decoder" }, "Decoder"), field),
    el("div", { className: "buttons hint" }, panel.button("Add decoder", () => add())));
  const add = () => {
    const text = field.value.trim();
    if (text && !app.view.decoders.includes(text)) app.look({ decoders: [...app.view.decoders, text] });
  };
  field.addEventListener("keydown", (event) => { if (event.key === "Enter") add(); });
  choices.addEventListener("change", async () => {
    if (!choices.value) return;
    try {
      const described = await app.transport.decoder(choices.value);
      field.value = template(described, (app.state.actual.channels ?? []).filter((name) => name.startsWith("L")));
      hint.textContent = words(described);
    } catch (error) {
      hint.textContent = error.message;
    }
  });
  let [listed, offered] = [null, null];
  panel.updates.push(() => {
    if (app.view.panel === "analyse") own.ask(() => panel.update());
    if (own.known !== offered) {
      offered = own.known;
      const isText = typeof offered === "string";
      inputs.hidden = isText;
      hint.textContent = isText ? offered : "";
      if (!isText) choices.replaceChildren(el("option", { value: "" }, "Choose…"), ...offered.map(({ id, name }) => el("option", { value: id }, `${id}: ${name}`)));
    }
    if (failure.textContent !== own.failure) failure.textContent = own.failure;
    if (app.view.decoders === listed) return;
    listed = app.view.decoders;
    list.replaceChildren(...listed.map((text) => el("li", {}, el("code", {}, text),
      el("div", { className: "buttons" }, el("button", { type: "button", "aria-label": `Remove ${text}`, onclick: () => app.look({ decoders: app.view.decoders.filter((one) => one !== text) }) }, "Remove")))));
  });
  return el("fieldset", { className: "card" }, el("legend", {}, "Decoders"), inputs, hint, failure, list);
}
