// What a page and an instrument send each other, however it gets there: settings and commands as objects, traces as frames
// (see frame.js).

/** The version of the interface. */
export const VERSION = 1;

/**
 * One side of it. Whoever extends it has `post(text)`, which sends a message and returns whether that could be done.
 *
 * `handlers`: `state(object)`, `status(object)`, `frame(ArrayBuffer)`, `measurements(object)`, `link(state, reason)` with
 * the states `connecting`, `open`, `lost`, `full` and `refused`, and `device()` before another device takes the place of the
 * present one.
 */
export class Conversation {
  constructor(handlers) {
    this.handlers = handlers;
    this.waiting = new Map();
    this.id = 0;
    this.wish = { columns: 1000, paced: true };
    this.reason = "";
  }

  /** The other side is there: it learns what is wanted. */
  opened() {
    this.reason = "";
    this.handlers.link("open", "");
    this.send({ type: "view", ...this.wish });
  }

  /** Takes a message. */
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

  /** The other side is gone: nothing is answered any more. */
  abandon(reason) {
    for (const answer of this.waiting.values()) answer.reject(new Error(reason));
    this.waiting.clear();
  }

  send(message) {
    return this.post(JSON.stringify(message));
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
}
