// Pictures of the page, for a look: node look.mjs FOLDER
process.env.CHROMIUM_ARGS = "--disable-features=LocalNetworkAccessChecks";
import { bench, launch } from "./support.js";
const folder = process.argv[2] ?? ".";
const b = await bench(["A=sine,1kHz,-2..2V", "B=triangle,500Hz,-1..3V", "L0=square,2kHz", "L1=square,500Hz", "L2=square,4kHz", "L3=square,2.5kHz", "L4=square,1kHz", "L5=square,5kHz"]);
const browser = await launch();
const shots = (process.argv[3] ?? "wide,light,narrow").split(",");
for (const shot of shots) {
  const narrow = shot === "narrow";
  const page = await browser.newPage({ viewport: narrow ? { width: 390, height: 844 } : { width: 1280, height: 760 }, colorScheme: shot === "light" ? "light" : "dark" });
  page.on("console", (m) => console.log(shot, m.type(), m.text()));
  page.on("pageerror", (e) => console.log(shot, "error", e.message));
  // The files as they are in the folder, and not in the program.
  await page.route(/\.(js|css)$|\/$/, (route) => {
    const name = new URL(route.request().url()).pathname.slice(1) || "index.html";
    route.fulfill({ path: new URL(`../page/${name}`, import.meta.url).pathname });
  });
  await page.goto(b.link);
  await page.waitForTimeout(1800);
  const tab = { measure: "Measure", analyse: "Analyse", output: "Output", traces: "Traces" }[shot];
  if (tab) await page.getByRole("tab", { name: tab }).click();
  if (shot === "spectrum") { await page.keyboard.press("d"); await page.waitForTimeout(700); await page.keyboard.press("x"); await page.keyboard.press("y"); }
  if (shot === "hover") await page.mouse.move(500, 200);
  if (shot === "waiting") await page.evaluate(() => window.scopething.set({ trigger: { level: 3.5, mode: "normal" } }));
  if (shot === "unplugged") b.unplug();
  if (shot === "xy") await page.keyboard.press("o");
  await page.waitForTimeout(900);
  await page.screenshot({ path: `${folder}/${shot}.png`, fullPage: narrow });
  await page.close();
}
await browser.close();
await b.close();
