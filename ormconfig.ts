// TypeORM's tools look for it here; the scripts of package.json take what is built of it.
export { default } from './src/ormconfig.js';
