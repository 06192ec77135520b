// How this page reaches its instrument, which runs in it: compiled from the same code as that of a server. The device is
// simulated, or a BitScope at a port of Web Serial.

import { Conversation } from "./conversation.js";
import { DeviceDialog } from "./device.js";
import init, { checkSignals, PageInstrument } from "./instrument.js";
import { Port, permittedPort, requestPort } from "./serial.js";
import { takeParameter } from "./store.js";

const SIGNALS_KEY = "scopething.signals.1";
/** What the simulated device sees at first, as behind `sim:?`. */
const SIGNALS = "A=sine,1kHz,-2..2V&B=triangle,500Hz,0..3V&noise=8mV&L0=square,1kHz&L1=uart,9600,text=ScopeThing&L2=square,2kHz&L3=square,4kHz";

/** Keeps calibrations of probes in this browser, by the serial number of the device. */
const CALIBRATIONS = {
  key: (serial) => `scopething.probes.1.${serial}`,
  kept(serial) {
    try {
      const numbers = JSON.parse(localStorage.getItem(this.key(serial)));
      return Array.isArray(numbers) && numbers.every(Number.isFinite) ? new Float64Array(numbers) : undefined;
    } catch {
      return undefined;
    }
  },
  keep(serial, numbers) {
    localStorage.setItem(this.key(serial), JSON.stringify(Array.from(numbers)));
    return `that of ${serial} in this browser`;
  },
};

/** An instrument in this page. */
export class Transport extends Conversation {
  constructor(handlers) {
    super({
      ...handlers,
      state: (state) => {
        this.settings = state.settings;
        handlers.state(state);
      },
    });
    /** The formats of files that can be written here. */
    this.formats = ["csv", "sr", "json", "vcd", "svg"];
    this.instrument = null;
    this.port = null;
    /** How the present instrument opens its port; null where it has none. */
    this.openPort = null;
    this.settings = null;
    this.loaded = init();
    /** What is being done to get another device: one thing after the other. */
    this.changing = Promise.resolve();
    const given = takeParameter("sim");
    this.signals = given ?? stored() ?? SIGNALS;
    this.dialog = new DeviceDialog(this);
    this.handlers.link("connecting", "");
    this.dialog.run(() => this.change(() => this.begin(given !== null)));
    navigator.serviceWorker?.register("worker.js").catch((error) => console.info(`without a network this page will not load: ${error.message}`));
  }

  /** A BitScope that the user has given this page before, else the simulated one. */
  async begin(isSimulated) {
    try {
      await this.loaded;
    } catch (error) {
      this.handlers.link("refused", `This browser does not run the instrument: ${error.message ?? error}`);
      return;
    }
    const port = isSimulated ? null : await permittedPort();
    if (port) await this.connectTo(port);
    else await this.simulate(this.signals);
  }

  /** Does something about the device after what is being done; the result is that of `work`. */
  change(work) {
    const done = this.changing.then(work);
    this.changing = done.catch(() => {});
    return done;
  }

  /** The simulated device with these signals; the present one stays where they are not understood. */
  async useSimulated(signals) {
    await this.loaded;
    checkSignals(signals);
    return this.change(() => this.simulate(signals));
  }

  /** A BitScope, which the user chooses: to be called for a click. */
  async useBitScope() {
    const port = await requestPort();
    if (port) await this.change(() => this.connectTo(port));
  }

  async simulate(signals) {
    try {
      await this.replace((receive) => PageInstrument.simulated(signals, receive, CALIBRATIONS), "simulated");
      this.signals = signals;
      keep(signals);
    } catch (error) {
      // Those of a link, or of an earlier visit, were not looked at before.
      if (!this.instrument) {
        await this.replace((receive) => PageInstrument.simulated(SIGNALS, receive, CALIBRATIONS), "simulated");
        this.signals = SIGNALS;
      }
      throw error;
    }
  }

  async connectTo(port) {
    // The device may come back as another port: that is then taken.
    const open = async () => {
      await this.port?.close();
      const present = this.port === null ? port : await permittedPort();
      if (present === null || this.openPort !== open) return null;
      const opened = await Port.open(present);
      // Another device may be wanted by now, and nobody would close this one.
      if (this.openPort !== open) {
        await opened.close();
        return null;
      }
      this.port = opened;
      return opened;
    };
    const connect = (receive) => {
      this.openPort = open;
      return PageInstrument.connect(open, receive, CALIBRATIONS);
    };
    try {
      await this.replace(connect, "BitScope");
    } catch (error) {
      await this.simulate(this.signals);
      throw error;
    }
  }

  /** Ends the present instrument, and has `make` make another, which gets its settings. */
  async replace(make, kind) {
    const { instrument, settings } = this;
    this.instrument = null;
    this.openPort = null;
    this.abandon("another device is being used");
    if (instrument) {
      this.handlers.device();
      await instrument.close();
    }
    await this.port?.close();
    this.port = null;
    const early = [];
    let made = null;
    made = await make((message) => {
      if (made === null) early.push(message);
      else if (this.instrument === made) this.take(message);
    });
    this.instrument = made;
    this.dialog.show(kind, made.notice());
    this.opened();
    for (const message of early) this.take(message);
    if (settings) await this.command({ type: "set", settings }).catch((error) => console.info(error.message));
  }

  post(text) {
    return this.instrument?.send(text) ?? false;
  }

  /** The traces that are kept, the last one first. */
  async traces() {
    return this.instrument ? JSON.parse(this.instrument.traces()) : [];
  }

  /** A trace that is kept, with every sample. */
  async trace(seq) {
    return (await this.present().trace(String(seq))).buffer;
  }

  /** A file of a trace. */
  async file(seq, format) {
    return new Blob([await this.present().file(String(seq), format)]);
  }

  present() {
    if (!this.instrument) throw new Error("there is no connection to the oscilloscope");
    return this.instrument;
  }
}

function stored() {
  try {
    return localStorage.getItem(SIGNALS_KEY);
  } catch {
    return null;
  }
}

function keep(signals) {
  try {
    localStorage.setItem(SIGNALS_KEY, signals);
  } catch {
    // A browser that keeps nothing.
  }
}
