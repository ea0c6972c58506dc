/**
 * Packages that every export needs: bundles hold them, for Node takes longer to find and
 * load their hundreds of small files than an export of some rows takes.
 */

/** With what they depend on, except for these. */
const BUNDLED = [
  'commander',
  'yaml',
  'zod',
  'croner',
  'pg',
  'pg-query-stream',
  '@azure/storage-blob',
  'http-proxy-agent',
  'https-proxy-agent',
];
const NOT_BUNDLED = ['pg-native', 'pg-cloudflare'];

/**
 * All others are loaded from node_modules when they are asked for.
 *
 * @type {import('esbuild').Plugin}
 */
export const bundledPackages = {
  name: 'packages',
  setup({ onResolve }) {
    onResolve({ filter: /^[^./]/ }, ({ path, importer, kind }) => {
      if (kind === 'entry-point' || path.startsWith('node:')) return undefined;
      const name = path.split('/', path.startsWith('@') ? 2 : 1).join('/');
      const ofBundled = importer.includes('/node_modules/');
      const bundled = (BUNDLED.includes(name) || ofBundled) && !NOT_BUNDLED.includes(name);
      return bundled ? undefined : { path, external: true };
    });
  },
};

/** Packages in CommonJS ask for Node's own modules. */
export const requireInBundles =
  "import { createRequire as createRequireOfBundle } from 'node:module'; const require = createRequireOfBundle(import.meta.url);";
