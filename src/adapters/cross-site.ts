export { crossSiteCheck, type CrossSiteCheck, type CrossSiteError, type CrossSiteOptions } from './internal/cross-site.ts'
