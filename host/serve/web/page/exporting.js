// Files for the user, from what the browser or the server has.

/** Hands a file to the user. */
export function download(blob, name) {
  const address = URL.createObjectURL(blob);
  const link = document.createElement("a");
  link.href = address;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}

/** A picture of a canvas with a line of text under it. */
export function picture(canvas, lines, colours) {
  const copy = document.createElement("canvas");
  const ratio = window.devicePixelRatio || 1;
  const row = 20 * ratio;
  copy.width = canvas.width;
  copy.height = canvas.height + row * lines.length + 8 * ratio;
  const context = copy.getContext("2d", { alpha: false });
  context.fillStyle = colours.screen;
  context.fillRect(0, 0, copy.width, copy.height);
  context.drawImage(canvas, 0, 0);
  context.fillStyle = colours.text;
  context.font = `${12 * ratio}px system-ui, sans-serif`;
  lines.forEach((line, index) => context.fillText(line, 8 * ratio, canvas.height + row * (index + 0.8)));
  return new Promise((resolve) => copy.toBlob(resolve, "image/png"));
}

/** Puts a text where it can be pasted from; false where the browser does not allow it. */
export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}
