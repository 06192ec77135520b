// The panels of the page, one at a time.

import { $, analysePanel, el, generatorPanel, measurePanel, scopePanel } from "./controls.js";
import { historyPanel } from "./history.js";
import * as store from "./store.js";

const PANELS = [
  ["scope", "Scope", scopePanel], ["measure", "Measure", measurePanel], ["analyse", "Analyse", analysePanel],
  ["generator", "Output", generatorPanel], ["history", "Traces", historyPanel],
];

export class Tabs {
  constructor(app) {
    this.app = app;
  }

  build() {
    const buttons = PANELS.map(([name, words]) => el("button", {
      type: "button", role: "tab", id: `tab-${name}`, "aria-controls": `panel-${name}`, onclick: () => this.open(name),
    }, words));
    $("tabs").append(...buttons);
    $("tabs").addEventListener("keydown", (event) => {
      const direction = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!direction) return;
      event.preventDefault();
      const index = PANELS.findIndex(([name]) => name === this.app.view.panel);
      const [name] = PANELS[(index + direction + PANELS.length) % PANELS.length];
      this.open(name);
      $(`tab-${name}`).focus();
    });
  }

  fill() {
    for (const [name, , fill] of PANELS) {
      $("panels").append(el("div", { role: "tabpanel", id: `panel-${name}`, "aria-labelledby": `tab-${name}`, tabIndex: 0 }, ...fill(this.app.panel)));
    }
    if (!PANELS.some(([name]) => name === this.app.view.panel)) this.app.view.panel = "scope";
    this.open(this.app.view.panel);
    this.app.readout.showReadings();
  }

  open(name) {
    this.app.view.panel = name;
    store.save(this.app.view);
    for (const [one] of PANELS) {
      const tab = $(`tab-${one}`);
      tab.setAttribute("aria-selected", String(one === name));
      tab.tabIndex = one === name ? 0 : -1;
      const place = $(`panel-${one}`);
      if (place) place.hidden = one !== name;
    }
    if (name === "history" && this.app.state) this.app.panel.showHistory?.();
    this.app.panel.update();
  }
}
