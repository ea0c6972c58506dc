/**
 * Compiles a module when it is first asked for, once a thread.
 * @param code in base64, as `npm run assembly` leaves it
 */
export function lazyModule(code: string): () => WebAssembly.Module {
  let compiled: WebAssembly.Module | undefined;
  return () => {
    compiled ??= new WebAssembly.Module(Buffer.from(code, 'base64'));
    return compiled;
  };
}
