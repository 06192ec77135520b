// How the page reaches the instrument. Everything else is the same whatever this is.

import { Conversation, VERSION } from "./conversation.js";
import { takeParameter } from "./store.js";

const MIN_RETRY_MS = 300;
const MAX_RETRY_MS = 5000;

/** An instrument behind a WebSocket. */
export class Transport extends Conversation {
  constructor(handlers) {
    super(handlers);
    this.token = takeToken();
    this.retry = MIN_RETRY_MS;
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
      this.opened();
    };
    socket.onmessage = (event) => this.take(event.data);
    socket.onclose = () => this.lost();
  }

  async lost() {
    this.abandon("the connection was lost");
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

  post(text) {
    if (this.socket.readyState !== WebSocket.OPEN) return false;
    this.socket.send(text);
    return true;
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

  /** What decoders find in a trace that is kept. */
  async decode(seq, decoders) {
    return (await this.get(`traces/${seq}.decoded`, { decoders: decoders.join(";") })).json();
  }

  /** The decoders that there are. */
  async decoders() {
    return (await this.get("decoders")).json();
  }

  /** What a decoder takes. */
  async decoder(id) {
    return (await this.get(`decoders/${encodeURIComponent(id)}`)).json();
  }

  async get(path, parameters = {}) {
    const answer = await fetch(this.address(path, parameters));
    if (answer.ok) return answer;
    throw Object.assign(new Error((await answer.json()).error), { status: answer.status });
  }

  address(path, parameters = {}) {
    const query = new URLSearchParams({ ...parameters, ...(this.token ? { token: this.token } : {}) }).toString();
    return `/api/v${VERSION}/${path}${query ? `?${query}` : ""}`;
  }
}

/** The token of the link, which is then kept out of sight, for this tab. */
function takeToken() {
  const token = takeParameter("token");
  if (token) sessionStorage.setItem("token", token);
  return token ?? sessionStorage.getItem("token");
}
