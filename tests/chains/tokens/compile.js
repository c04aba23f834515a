// Writes tokens.json from tokens.sol. Needs npm's solc in reach (NODE_PATH).
const fs = require("fs");
const path = require("path");
const solc = require("solc");

const here = (name) => path.join(__dirname, name);
const input = {
  language: "Solidity",
  sources: { "tokens.sol": { content: fs.readFileSync(here("tokens.sol"), "utf8") } },
  settings: {
    evmVersion: "paris",
    optimizer: { enabled: true, runs: 1 },
    metadata: { bytecodeHash: "none", appendCBOR: false },
    outputSelection: { "*": { "*": ["abi", "evm.bytecode.object", "evm.methodIdentifiers"] } },
  },
};
const output = JSON.parse(solc.compile(JSON.stringify(input)));
for (const error of output.errors || []) console.error(error.formattedMessage);
const made = {};
for (const [name, contract] of Object.entries(output.contracts["tokens.sol"])) {
  made[name] = { abi: contract.abi, methods: contract.evm.methodIdentifiers, bytecode: "0x" + contract.evm.bytecode.object };
}
fs.writeFileSync(here("tokens.json"), JSON.stringify(made, null, 1) + "\n");
