/**
 * ES modules from the directories in NODE_PATH, where Node.js itself does not look for them.
 *
 * Lambda does so from nodejs18.x on. Source: AWS Compute Blog, "Node.js 18.x runtime now available
 * in AWS Lambda". It costs a loader, so only functions pay for it that have such a directory.
 */

import fs from 'node:fs';
import module, { createRequire } from 'node:module';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

const require = createRequire(import.meta.url);
const BARE = /^(?!\.{0,2}\/|[a-z]+:)/; // neither a path nor a URL

const folders = (process.env.NODE_PATH ?? '').split(path.delimiter).filter(Boolean);
const packages = folders.filter((folder) => path.basename(folder) === 'node_modules');
const parents = packages.map(
  (folder) => pathToFileURL(path.join(path.dirname(folder), 'any.mjs')).href,
);

/** Have modules looked for there, too, from now on. A CommonJS function may `import()` packages. */
export function searchNodePath(isModule) {
  if (!(isModule ? folders : packages).some(holdsModules)) return;
  if (module.registerHooks) module.registerHooks({ resolve: resolveNow });
  else module.register?.(import.meta.url);
}

function holdsModules(folder) {
  try {
    const found = fs.readdirSync(folder, { withFileTypes: true });
    if (folder !== process.env.LAMBDA_TASK_ROOT) return found.length > 0;
    // Node.js looks into the function's own node_modules by itself.
    return found.some((entry) => entry.isDirectory() && entry.name !== 'node_modules');
  } catch {
    return false;
  }
}

/** The loader's hook, as `module.register` wants it. */
export async function resolve(specifier, context, next) {
  try {
    return await next(specifier, context);
  } catch (error) {
    if (!isMissing(error, specifier)) throw error;
    for (const parentURL of parents) {
      const found = await Promise.resolve(next(specifier, { ...context, parentURL })).catch(
        () => null,
      );
      if (found) return found;
    }
    return asRequired(specifier, error);
  }
}

/** The same, as `module.registerHooks` wants it. */
function resolveNow(specifier, context, next) {
  try {
    return next(specifier, context);
  } catch (error) {
    if (!isMissing(error, specifier)) throw error;
    for (const parentURL of parents) {
      try {
        return next(specifier, { ...context, parentURL });
      } catch {
        // perhaps in the next one
      }
    }
    return asRequired(specifier, error);
  }
}

function isMissing(error, specifier) {
  return error?.code === 'ERR_MODULE_NOT_FOUND' && BARE.test(specifier);
}

function asRequired(specifier, error) {
  try {
    return { url: pathToFileURL(require.resolve(specifier)).href, shortCircuit: true };
  } catch {
    throw error;
  }
}
