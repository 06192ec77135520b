// How the page reaches the instrument. Everything else is the same whatever this is: it gives settings as objects, traces as
// frames (see frame.js), and takes commands.

import { takeParameter } from "./store.js";

const VERSION = 1;
const MIN_RETRY_MS = 300;
const MAX_RETRY_MS = 5000;

/**
 * An instrument behind a WebSocket.
 *
 * `handlers`: `state(object)`, `status(object)`, `frame(ArrayBuffer)`, `measurements(object)`, and `link(state, reason)` with
 * the states `connecting`, `open`, `lost`, `full` and `refused`.
 */
export class Transport {
  constructor(handlers) {
    this.handlers = handlers;
    this.token = takeToken();
    this.waiting = new Map();
    this.id = 0;
    this.retry = MIN_RETRY_MS;
    this.wish = { columns: 1000, paced: true };
    this.reason = "";
    this.connect();
  }

  connect() {
    this.handlers.link("connecting", this.reason);
    const scheme = location.protocol === "https:" ? "wss:" : "ws:";
    const socket = new WebSocket(`${scheme}//${location.host}${this.address("live")}`);
    socket.binaryType = "arraybuffer";
    this.socket = socket;
    socket.onopen = () => {
      this.retry = MIN_RETRY_MS;
      this.reason = "";
      this.handlers.link("open", "");
      this.send({ type: "view", ...this.wish });
    };
    socket.onmessage = (event) => this.take(event.data);
    socket.onclose = () => this.lost();
  }

  take(data) {
    if (typeof data !== "string") {
      this.handlers.frame(data);
      return;
    }
    const message = JSON.parse(data);
    switch (message.type) {
      case "state":
        if (message.version !== VERSION) {
          // The program was updated behind this page.
          location.reload();
          return;
        }
        this.handlers.state(message);
        break;
      case "status":
        if (message.state === "closed") this.reason = message.reason;
        this.handlers.status(message);
        break;
      case "measurements":
        this.handlers.measurements(message);
        break;
      case "done":
      case "error": {
        const answer = this.waiting.get(message.id);
        this.waiting.delete(message.id);
        if (message.type === "done") answer?.resolve();
        else if (answer) answer.reject(new Error(message.message));
        break;
      }
      default:
    }
  }

  async lost() {
    for (const answer of this.waiting.values()) answer.reject(new Error("the connection was lost"));
    this.waiting.clear();
    // A refusal looks like any other failure to a WebSocket: ask in a way that has an answer.
    const { reason, isFinal } = await this.refusal();
    this.handlers.link(isFinal ? "refused" : reason ? "full" : "lost", reason || this.reason);
    if (isFinal) return;
    setTimeout(() => this.connect(), this.retry);
    this.retry = Math.min(MAX_RETRY_MS, this.retry * 1.7);
  }

  /** Why there is no connection, and whether trying again is of no use. */
  async refusal() {
    try {
      const answer = await fetch(this.address("state"));
      const { error, clients, max_clients: max } = await answer.json();
      if (answer.status === 401 || answer.status === 403) return { reason: error, isFinal: true };
      return { reason: clients >= max ? `${max} browsers look already: close one of them.` : "", isFinal: false };
    } catch {
      return { reason: "", isFinal: false };
    }
  }

  send(message) {
    if (this.socket.readyState !== WebSocket.OPEN) return false;
    this.socket.send(JSON.stringify(message));
    return true;
  }

  /** Has a command done; rejects with the reason why it was not. */
  command(message) {
    this.id += 1;
    const id = this.id;
    return new Promise((resolve, reject) => {
      this.waiting.set(id, { resolve, reject });
      if (!this.send({ ...message, id })) {
        this.waiting.delete(id);
        reject(new Error("there is no connection to the oscilloscope"));
      }
    });
  }

  /** Which part of traces is wanted, and how finely. */
  view(wish) {
    if (JSON.stringify(wish) === JSON.stringify(this.wish)) return;
    this.wish = wish;
    this.send({ type: "view", ...wish });
  }

  /** The frame with this number is on the screen: the next may come. */
  drawn(seq) {
    this.send({ type: "drawn", seq });
  }

  /** The traces that are kept, the last one first. */
  async traces() {
    return (await this.get("traces")).json();
  }

  /** A trace that is kept, with every sample. */
  async trace(seq) {
    return (await this.get(`traces/${seq}.bin`)).arrayBuffer();
  }

  /** A file of a trace. */
  async file(seq, format) {
    return (await this.get(`traces/${seq}.${format}`)).blob();
  }

  async get(path) {
    const answer = await fetch(this.address(path));
    if (answer.ok) return answer;
    throw new Error((await answer.json()).error);
  }

  address(path) {
    const token = this.token ? `?token=${encodeURIComponent(this.token)}` : "";
    return `/api/v${VERSION}/${path}${token}`;
  }
}

/** The token of the link, which is then kept out of sight, for this tab. */
function takeToken() {
  const token = takeParameter("token");
  if (token) sessionStorage.setItem("token", token);
  return token ?? sessionStorage.getItem("token");
}
