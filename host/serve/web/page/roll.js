// A time base that rolls: pieces as they come, joined to what is on the screen, the newest at the right edge.

const MAGIC = 0x31505453; // "STP1"
/** A column without samples: what leaves the extremes of others as they are. */
const NONE = { volts: [65535, 0], logic: [255, 0] };

/** Whether bytes are a piece, and no whole trace. */
export function isPiece(buffer) {
  return buffer.byteLength >= 8 && new DataView(buffer).getUint32(0, true) === MAGIC;
}

/** The piece in a message. Throws where it is none. */
export function decodePiece(buffer) {
  const length = new DataView(buffer).getUint32(4, true);
  if (!isPiece(buffer) || 8 + length > buffer.byteLength) throw new Error("a piece of a trace was cut off");
  const piece = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 8, length)));
  piece.channels = piece.channels.map((block) => {
    const at = 8 + length + block.offset;
    if (at + block.bytes > buffer.byteLength) throw new Error("a piece of a trace was cut off");
    const data = block.kind === "volts" ? new Uint16Array(buffer, at, block.bytes / 2) : new Uint8Array(buffer, at, block.bytes);
    return { ...block, data };
  });
  return piece;
}

/** The pieces of one roll. */
export class Roll {
  constructor(piece) {
    this.id = piece.roll;
    this.columns = piece.columns;
    /** The number of the first column that is held, and of that behind the last one. */
    this.first = piece.first;
    this.end = piece.first;
    /** Where the first one lies. Twice the columns fit, so that few have to be moved. */
    this.place = 0;
    this.channels = piece.channels.map((block) => {
      const Type = block.kind === "volts" ? Uint16Array : Uint8Array;
      return { ...block, data: null, held: new Type(4 * this.columns), none: NONE[block.kind] };
    });
  }

  add(piece) {
    // Of a screen that was missed nothing is left; of less, empty columns.
    if (piece.first > this.end + this.columns || piece.first < this.end) {
      [this.first, this.end, this.place] = [piece.first, piece.first, 0];
    }
    while (this.end < piece.first) this.append(1, (channel, at) => channel.held.set(channel.none, at));
    this.append(piece.count, (channel, at, index) => channel.held.set(piece.channels[index].data, at));
    this.about = piece;
  }

  append(count, write) {
    if (this.place + (this.end - this.first) + count > 2 * this.columns) {
      const keep = Math.max(0, Math.min(this.end - this.first, this.columns));
      const from = this.place + (this.end - this.first) - keep;
      for (const { held } of this.channels) held.copyWithin(0, 2 * from, 2 * (from + keep));
      [this.place, this.first] = [0, this.end - keep];
    }
    const at = this.place + (this.end - this.first);
    this.channels.forEach((channel, index) => write(channel, 2 * at, index));
    this.end += count;
    const surplus = Math.max(0, this.end - this.first - this.columns);
    this.first += surplus;
    this.place += surplus;
  }

  /** What is on the screen, as a trace whose trigger is now. Its samples are those of this roll: they move on with it. */
  trace() {
    const count = this.end - this.first;
    const duration = count * this.about.period;
    const channels = {};
    for (const { held, none, ...block } of this.channels) {
      channels[block.name] = { ...block, data: held.subarray(2 * this.place, 2 * (this.place + count)), first: 0, samples: count * block.stride, layout: "extremes", extremes: true };
    }
    const { seq, changes, rate, seen, gaps, lost } = this.about;
    return {
      seq, changes, rate, seen, gaps, lost, channels, duration, trigger: duration, roll: this.id, rolling: true, ended: "roll", dead: null,
      mode: "stream", from: 0, to: 1, unix_ms: Date.now(), warnings: [], settings: "",
    };
  }
}

/** A trace that stays as it is while its roll goes on. */
export function still(trace) {
  if (!trace.rolling) return trace;
  const channels = Object.fromEntries(Object.entries(trace.channels).map(([name, channel]) => [name, { ...channel, data: channel.data.slice() }]));
  return { ...trace, channels, rolling: false };
}
