// Which device this page is for: a dialog, and the button that opens it.

import { $, el } from "./controls.js";
import { isSupported } from "./serial.js";

export class DeviceDialog {
  constructor(transport) {
    this.transport = transport;
    this.button = el("button", { type: "button", id: "device", title: "Which device this page shows" }, "Device");
    this.now = el("p", { id: "device-now", role: "status" }, "Starting…");
    this.failure = el("p", { id: "device-failure", className: "failure", role: "alert" });
    this.connect = el("button", { type: "button", id: "connect", disabled: !isSupported(), onclick: () => this.run(() => transport.useBitScope()) }, "Connect a BitScope…");
    this.signals = el("input", { id: "signals", type: "text", spellcheck: false, autocomplete: "off", value: transport.signals });
    const simulate = el("button", { type: "button", id: "simulate", onclick: () => this.simulate() }, "Use the simulated one");
    this.signals.addEventListener("keydown", (event) => { if (event.key === "Enter") this.simulate(); });
    this.dialog = el("dialog", { id: "device-dialog", "aria-labelledby": "device-title" },
      el("h2", { id: "device-title" }, "Device"), this.now, this.failure,
      el("fieldset", { className: "card" }, el("legend", {}, "BitScope Micro"), el("div", { className: "buttons" }, this.connect),
        el("p", { className: "hint" }, isSupported()
          ? "At a USB port of this computer. Nothing leaves this page. On Linux its port may need permission: join the group that owns it (often dialout or uucp) and log in again."
          : "This browser has no Web Serial here: use Chromium, Chrome or Edge on a computer, by https or from localhost. The simulated BitScope works everywhere.")),
      el("fieldset", { className: "card" }, el("legend", {}, "Simulated BitScope"), el("div", { className: "rows" }, el("label", { for: "signals" }, "Signals"), this.signals),
        el("div", { className: "buttons" }, simulate),
        el("p", { className: "hint" }, "As behind sim:? of the program: A=sine,1kHz,-2..2V&L1=uart,9600,text=hello&noise=5mV; clock=fast waits for nothing.")),
      el("p", { className: "hint" }, "Not in this page, but in the program: other clients at the same time, Parquet, NumPy and WAV files, decoders, recording."),
      el("button", { type: "button", onclick: () => this.dialog.close() }, "Close"));
    document.body.append(this.dialog);
    this.button.addEventListener("click", () => {
      this.signals.value = transport.signals;
      this.dialog.showModal();
    });
    $("share").before(this.button);
  }

  simulate() {
    return this.run(() => this.transport.useSimulated(this.signals.value.trim()));
  }

  /** Does what a button is for, and shows why it did not succeed. */
  async run(work) {
    this.failure.textContent = "";
    try {
      await work();
    } catch (error) {
      this.failure.textContent = error.message ?? String(error);
      // At the start nobody has opened it, and it may have been closed meanwhile.
      if (!this.dialog.open) this.dialog.showModal();
    }
  }

  show(kind, notice) {
    this.button.textContent = kind === "simulated" ? "Simulated" : kind;
    this.now.textContent = kind === "simulated" ? "This page shows the simulated BitScope." : "This page shows a BitScope.";
    if (notice) this.now.append(` ${notice}`);
    document.body.dataset.device = kind;
  }
}
