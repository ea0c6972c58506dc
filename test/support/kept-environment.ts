/**
 * The result puts the variables of the environment back to what they are now: files that
 * share a process leave nothing behind for each other.
 */
export function keepEnvironment(): () => void {
  const kept = { ...process.env };
  return () => {
    for (const name of Object.keys(process.env)) if (!Object.hasOwn(kept, name)) delete process.env[name];
    Object.assign(process.env, kept);
  };
}
