import assert from "node:assert/strict";
import test from "node:test";

import { Decoders } from "../page/decoders.js";

const WANTED = ["uart:rx=L4"];

/** Decoders whose requests the test answers, and an app that asks again at once, as the page's does. */
function decoding() {
  const asked = [];
  const app = {
    view: { decoders: WANTED },
    newest: null,
    transport: { decode: (seq) => new Promise((resolve, reject) => { asked.push({ seq, resolve, reject }); }) },
    decoded() { app.decoders.decode(app.newest); },
  };
  app.decoders = new Decoders(app);
  const see = (seq) => {
    app.newest = { seq, changes: 0 };
    app.decoders.decode(app.newest);
  };
  /** Answers the last request, and waits until what follows from that has happened. */
  const answer = async (how, value) => {
    asked.at(-1)[how](value);
    await new Promise((resolve) => { setImmediate(resolve); });
  };
  return { app, decoders: app.decoders, see, answer, numbers: () => asked.map(({ seq }) => seq) };
}

test("a trace that could not be decoded is not asked for again, the next one is", async () => {
  const { decoders, see, answer, numbers } = decoding();
  see(1);
  await answer("reject", new Error("the server is gone"));
  assert.deepEqual(numbers(), [1]);
  assert.equal(decoders.failure, "the server is gone");
  see(1);
  assert.deepEqual(numbers(), [1]);
  see(2);
  await answer("resolve", { seq: 2, lanes: [] });
  assert.deepEqual(numbers(), [1, 2]);
  assert.equal(decoders.failure, "");
});

test("other decoders are tried on a trace that could not be decoded", async () => {
  const { app, decoders, see, answer, numbers } = decoding();
  see(1);
  await answer("reject", new Error("sigrok-cli ended with 1"));
  app.view.decoders = ["spi:clk=L0"];
  decoders.changed();
  see(1);
  assert.deepEqual(numbers(), [1, 1]);
});

test("the traces of another device are decoded, whatever their numbers", async () => {
  const { decoders, see, answer, numbers } = decoding();
  see(1);
  await answer("resolve", { seq: 1, lanes: [] });
  see(1);
  assert.deepEqual(numbers(), [1]);
  decoders.forget();
  see(1);
  assert.deepEqual(numbers(), [1, 1]);
});

test("lanes of a roll that has stopped begin where the trace of its end does", async () => {
  const { decoders, see, answer } = decoding();
  see(1);
  await answer("resolve", { seq: 1, lanes: [{ title: "RX", annotations: [] }] });
  assert.deepEqual(decoders.lanesOf({ seq: 1, ended: "roll", begins: 0.25 }).map(({ offset }) => offset), [0.25]);
  assert.deepEqual(decoders.lanesOf({ seq: 1, ended: "trigger" }).map(({ offset }) => offset), [0]);
});
