/**
 * Finding the function that _HANDLER names.
 *
 * Source: Lambda developer guide, "Define Lambda function handler in Node.js" and "Designating a
 * function handler as an ES module".
 */

import fs from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

import {
  HandlerNotFound,
  ImportModuleError,
  MalformedHandlerName,
  UserCodeSyntaxError,
} from './errors.mjs';
import { searchNodePath } from './node_path.mjs';
import { stackWithPlace } from './syntax.mjs';

const EXTENSIONS = ['', '.js', '.mjs', '.cjs'];

// The file need not exist: its name ends the "Require stack" of a module that is not found.
const runtimeFolder = process.env.LAMBDA_RUNTIME_DIR ?? '/var/runtime';
const require = createRequire(path.join(runtimeFolder, 'index.mjs'));

/**
 * Return the function for `name`: [FOLDER/...]FILE.EXPORT[.EXPORT...], below `taskRoot`.
 *
 * Throws the errors imported above, or whatever the module throws. With `namedOnly`, what an ES
 * module exports as default is not looked into.
 */
export async function load(taskRoot, name, namedOnly) {
  if (name.includes('..')) {
    const message = `'${name}' is not a valid handler name: it must not contain '..'.`;
    throw new MalformedHandlerName(message);
  }
  const folder = path.dirname(name);
  const [file, ...keys] = path.basename(name).split('.');
  if (keys.length === 0) throw new MalformedHandlerName('Bad handler');

  const module = await loadModule(taskRoot, folder, file);
  const handler = find(module, keys) ?? (namedOnly ? undefined : find(module?.default, keys));
  if (!handler) throw new HandlerNotFound(`${name} is undefined or not exported`);
  if (typeof handler !== 'function') throw new HandlerNotFound(`${name} is not a function`);
  return handler;
}

function find(module, keys) {
  return keys.reduce((value, key) => value?.[key], module);
}

async function loadModule(taskRoot, folder, file) {
  const base = path.resolve(taskRoot, folder, file);
  try {
    for (const extension of EXTENSIONS) {
      if (fs.existsSync(base + extension)) return await loadFile(base + extension, extension);
    }
    // A package, from the function's node_modules or a layer's (NODE_PATH).
    return require(require.resolve(file, { paths: [taskRoot, path.join(taskRoot, folder)] }));
  } catch (error) {
    if (error instanceof SyntaxError) throw placed(error, base);
    if (error?.code === 'MODULE_NOT_FOUND') throw new ImportModuleError(String(error));
    throw error;
  }
}

function placed(error, base) {
  const file = EXTENSIONS.map((end) => base + end).find(fs.existsSync);
  // differs from AWS: the trace of a syntax error in an ES module begins with its place, as in AWS
  // that of one in CommonJS does.
  return new UserCodeSyntaxError(error, stackWithPlace(error, file));
}

function loadFile(file, extension) {
  const isModule = extension === '.mjs' || (extension === '.js' && inModulePackage(file));
  searchNodePath(isModule);
  if (!isModule) return require(file);
  return import(pathToFileURL(file));
}

/** Tell whether the package.json next to `file`, or nearest above, says "type": "module". */
function inModulePackage(file) {
  const folder = path.dirname(file);
  if (path.basename(folder) === 'node_modules') return false;
  const description = path.join(folder, 'package.json');
  if (fs.existsSync(description)) {
    try {
      return JSON.parse(fs.readFileSync(description, 'utf8'))?.type === 'module';
    } catch (error) {
      console.warn(`${description} cannot be read and is ignored:`, error);
      return false;
    }
  }
  return folder === path.dirname(folder) ? false : inModulePackage(folder);
}
