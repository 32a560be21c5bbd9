// Plain JavaScript, because it runs before anything else and has to run on the Node that cannot run the rest.
if (!process.features.typescript) {
  console.error(`The scripts of this repository are TypeScript, which Node runs from 22.18 on; this is Node ${process.versions.node}.`)
  console.error('Start them with npm (`npm test`, `npm start`): after `npm install` with install scripts allowed, npm uses the Node 24 in node_modules.')
  process.exit(1)
}
