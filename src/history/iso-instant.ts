let lastTime = Number.NaN;
let lastText = '';

/**
 * `2025-04-14T07:00:00.000Z`. Remembers the last one: where many things happen in a
 * millisecond, telling when costs more than all else that is told of them.
 */
export function isoInstant(instant: Date): string {
  const time = instant.getTime();
  if (time !== lastTime) {
    lastText = instant.toISOString();
    lastTime = time;
  }
  return lastText;
}
