// SPDX-License-Identifier: MIT
// The contracts that tests deploy on anvil. tokens.json holds their ABI and bytecode, so that no compiler is needed; made by
// solc 0.8.37 with evmVersion "paris" and the optimizer on: `node compile.js`, with npm's solc@0.8.37 in reach.
pragma solidity 0.8.37;

/// An honest ERC-20 that anybody may mint.
contract Coin {
    string public name;
    string public symbol;
    uint8 public decimals;
    mapping(address => uint256) public balanceOf;

    event Transfer(address indexed from, address indexed to, uint256 value);

    constructor(string memory symbol_, uint8 decimals_) {
        name = symbol_;
        symbol = symbol_;
        decimals = decimals_;
    }

    function mint(address to, uint256 value) external {
        _give(address(0), to, value);
    }

    function transfer(address to, uint256 value) external virtual returns (bool) {
        _take(msg.sender, value);
        _give(msg.sender, to, value);
        return true;
    }

    /// Several transfers in one transaction.
    function transferMany(address[] calldata to, uint256[] calldata values) external {
        for (uint256 i = 0; i < to.length; i++) {
            _take(msg.sender, values[i]);
            _give(msg.sender, to[i], values[i]);
        }
    }

    function _take(address from, uint256 value) internal {
        require(balanceOf[from] >= value, "not enough");
        balanceOf[from] -= value;
    }

    function _give(address from, address to, uint256 value) internal {
        unchecked {
            balanceOf[to] += value;
        }
        emit Transfer(from, to, value);
    }
}

/// Keeps one hundredth of each transfer: the log says what arrives.
contract FeeCoin is Coin {
    address constant KEEPER = address(0xfee);

    constructor(string memory symbol_, uint8 decimals_) Coin(symbol_, decimals_) {}

    function transfer(address to, uint256 value) external override returns (bool) {
        uint256 fee = value / 100;
        _take(msg.sender, value);
        _give(msg.sender, KEEPER, fee);
        _give(msg.sender, to, value - fee);
        return true;
    }
}

/// Transfers as it likes: 0 honestly, 1 returns false, 2 reverts after its log.
contract MoodyCoin is Coin {
    uint8 public mood;

    constructor(string memory symbol_, uint8 decimals_) Coin(symbol_, decimals_) {}

    function feel(uint8 mood_) external {
        mood = mood_;
    }

    function transfer(address to, uint256 value) external override returns (bool) {
        if (mood == 1) return false;
        _take(msg.sender, value);
        _give(msg.sender, to, value);
        require(mood != 2, "not today");
        return true;
    }
}

/// Emits what it is told; nothing moves.
contract Liar {
    string public symbol;
    uint8 public decimals;

    event Transfer(address indexed from, address indexed to, uint256 value);

    constructor(string memory symbol_, uint8 decimals_) {
        symbol = symbol_;
        decimals = decimals_;
    }

    function say(address from, address to, uint256 value) external {
        emit Transfer(from, to, value);
    }

    /// A log with these topics and this data, whatever they mean.
    function log(bytes32[] calldata topics, bytes calldata data) external {
        bytes memory said = data;
        if (topics.length == 2) {
            assembly { log2(add(said, 32), mload(said), calldataload(topics.offset), calldataload(add(topics.offset, 32))) }
        } else if (topics.length == 3) {
            assembly { log3(add(said, 32), mload(said), calldataload(topics.offset), calldataload(add(topics.offset, 32)), calldataload(add(topics.offset, 64))) }
        } else {
            assembly { log4(add(said, 32), mload(said), calldataload(topics.offset), calldataload(add(topics.offset, 32)), calldataload(add(topics.offset, 64)), calldataload(add(topics.offset, 96))) }
        }
    }
}

/// Pays native coin by inner calls, as exchanges and multisigs do.
contract Purse {
    receive() external payable {}

    function pay(address payable to, uint256 value) external payable {
        (bool done, ) = to.call{value: value}("");
        require(done, "refused");
    }

    function payMany(address payable[] calldata to, uint256[] calldata values) external payable {
        for (uint256 i = 0; i < to.length; i++) {
            (bool done, ) = to[i].call{value: values[i]}("");
            require(done, "refused");
        }
    }

    /// Pays by an inner call that is undone, and carries on as if nothing had been.
    function payAndUndo(address payable to, uint256 value) external payable {
        try this.payAndFail(to, value) {} catch {}
    }

    function payAndFail(address payable to, uint256 value) external payable {
        (bool done, ) = to.call{value: value}("");
        require(!done, "undone");
    }
}
