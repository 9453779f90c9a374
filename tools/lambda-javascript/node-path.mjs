// Lambda's Node.js finds ES modules in NODE_PATH too; Node.js itself finds only CommonJS ones there.

import { createRequire, registerHooks } from "node:module";
import { pathToFileURL } from "node:url";

const { resolve } = createRequire(import.meta.url);

registerHooks({
  resolve(specifier, context, next) {
    try {
      return next(specifier, context);
    } catch (error) {
      if (error.code !== "ERR_MODULE_NOT_FOUND" || /^[./]/.test(specifier)) throw error;
      return next(pathToFileURL(resolve(specifier)).href, context);
    }
  },
});
