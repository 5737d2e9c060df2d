// The module level of PTX: directives, variables and functions.
#include "ptx/body_parser.h"
#include "ptx/declaration_parser.h"
#include "ptx/syntax.h"
#include "ptx/token_reader.h"

#include <algorithm>
#include <unordered_map>

namespace simgpu::ptx {

namespace {

class ModuleParser {
public:
  explicit ModuleParser(std::string_view source) : reader_(tokenize(source)) {}

  Module run() {
    version();
    while (!reader_.atEnd()) {
      statement();
    }
    if (module_.target == 0) {
      reader_.fail("the text has no .target directive");
    }
    resolveNames();
    sizeVariadicParameters();
    return std::move(module_);
  }

private:
  /** ".version 7.1" must come first; without it the text is no PTX at all. */
  void version() {
    if (!reader_.accept(".version")) {
      reader_.fail("expected .version but found " + reader_.shown());
    }
    const Token& number = reader_.take();
    const std::size_t dot = number.text.find('.');
    if (number.kind != Token::Kind::floating || dot == std::string_view::npos || dot + 2 != number.text.size() ||
        dot == 0 || dot > 2) {
      throw PtxError(number.line, "malformed version '" + std::string(number.text.substr(0, 20)) + "'");
    }
    for (const char c : number.text) {
      module_.version = c == '.' ? module_.version : module_.version * 10 + static_cast<std::uint32_t>(c - '0');
    }
  }

  void target() {
    do {
      const std::string name = reader_.expectWord("a target");
      if (name.starts_with("sm_")) {
        std::uint32_t number = 0;
        for (std::size_t i = 3; i < name.size() && name[i] >= '0' && name[i] <= '9' && i < 7; i++) {
          number = number * 10 + static_cast<std::uint32_t>(name[i] - '0');
        }
        module_.target = number;
      }
    } while (reader_.accept(","));
  }

  void statement() {
    const Token token = reader_.take();
    if (token.is(".target")) {
      target();
    } else if (token.is(".address_size")) {
      if (reader_.expectInteger(1024) != 64) {
        throw PtxError(token.line, "only 64-bit addresses are simulated", true);
      }
    } else if (token.is(".file")) {
      file(token.line);
    } else if (token.is(".section")) {
      reader_.take();
      reader_.skipBraces();
    } else if (token.is(".pragma")) {
      while (!reader_.accept(";")) {
        if (reader_.atEnd()) {
          reader_.fail(".pragma without ';'");
        }
        reader_.take();
      }
    } else if (token.is(".alias")) {
      alias();
    } else {
      declaration(token);
    }
  }

  /** .file 1 "/home/somebody/kernel.cu": only the name matters. */
  void file(std::int64_t line) {
    std::uint32_t number = 0;
    while (!reader_.atEnd() && reader_.line() == line) {
      const Token token = reader_.take();
      if (token.kind == Token::Kind::integer && number == 0) {
        number = static_cast<std::uint32_t>(token.value);
      } else if (token.kind == Token::Kind::string) { // a second one is the name in the folder that the first is
        module_.files[number] = token.text.substr(token.text.find_last_of('/') + 1);
      }
    }
  }

  void declaration(const Token& first) {
    Linkage linkage = Linkage::internal;
    Token token = first;
    if (const auto named = linkageNamed(token)) {
      linkage = *named;
      token = reader_.take();
    }
    if (token.is(".func") || token.is(".entry")) {
      function(token.is(".entry"), linkage);
    } else if (const auto space = spaceDirective(token); space && *space != Space::param && *space != Space::local) {
      for (Variable& variable : parseVariables(reader_, *space, linkage)) {
        add(std::move(variable));
      }
    } else {
      throw PtxError(token.line, "unexpected '" + std::string(token.text.substr(0, 80)) + "'");
    }
  }

  static std::optional<Linkage> linkageNamed(const Token& token) {
    return token.is(".visible")  ? std::optional(Linkage::visible)
           : token.is(".extern") ? std::optional(Linkage::external)
           : token.is(".weak")   ? std::optional(Linkage::weak)
           : token.is(".common") ? std::optional(Linkage::common)
                                 : std::nullopt;
  }

  void add(Variable&& variable) {
    const auto found = variableIndex_.find(variable.name);
    if (found == variableIndex_.end()) {
      variableIndex_.emplace(variable.name, static_cast<std::uint32_t>(module_.variables.size()));
      module_.variables.push_back(std::move(variable));
      return;
    }
    Variable& known = module_.variables[found->second];
    const bool replaces = known.linkage == Linkage::external;
    if (!replaces && variable.linkage != Linkage::external && variable.linkage != Linkage::weak) {
      throw PtxError(variable.line, "'" + variable.name + "' is declared twice");
    }
    if (replaces) {
      known = std::move(variable);
    }
  }

  void alias() {
    const std::int64_t line = reader_.line();
    Function alias;
    alias.line = line;
    alias.name = reader_.expectWord("a name");
    reader_.expect(",");
    alias.aliasOf = reader_.expectWord("a name");
    reader_.expect(";");
    const auto target = functionIndex_.find(alias.aliasOf);
    if (target == functionIndex_.end()) {
      throw PtxError(line, "'" + alias.aliasOf + "' is not a function");
    }
    functionIndex_[alias.name] = target->second;
  }

  void function(bool entry, Linkage linkage) {
    Function function;
    function.entry = entry;
    function.linkage = linkage;
    reader_.accept(".noreturn");
    if (!entry && reader_.peek().is("(")) {
      function.returns = parseParameters(reader_);
    }
    function.line = reader_.line();
    function.name = reader_.expectWord("a function name");
    if (reader_.peek().is("(")) {
      function.parameters = parseParameters(reader_);
    }
    attributes(function);
    function.variables = function.returns;
    function.variables.insert(function.variables.end(), function.parameters.begin(), function.parameters.end());
    if (!reader_.accept(";")) {
      function.defined = true;
      parseBody(reader_, function, module_.variables, [this](const std::string& name) {
        const auto found = functionIndex_.find(name);
        return found != functionIndex_.end() ? &module_.functions[found->second] : nullptr;
      });
    }
    add(std::move(function));
  }

  void attributes(Function& function) {
    while (reader_.peek().kind == Token::Kind::directive) {
      const Token token = reader_.take();
      if (token.is(".maxntid")) {
        function.maxThreads = dimensions();
      } else if (token.is(".reqntid")) {
        function.requiredThreads = dimensions();
      } else if (token.is(".maxnreg")) {
        function.maxRegisters = static_cast<std::uint32_t>(reader_.expectInteger(1024));
      } else if (token.is(".minnctapersm") || token.is(".maxnctapersm")) {
        reader_.expectInteger(1024);
      } else if (token.is(".noreturn")) {
        function.noReturn = true;
      } else if (token.is(".pragma")) {
        reader_.take();
        reader_.expect(";");
      } else if (token.is(".abi_preserve") || token.is(".abi_preserve_control")) {
        reader_.expectInteger(1024);
      } else if (token.is(".attribute")) {
        while (!reader_.accept(")")) {
          if (reader_.atEnd()) {
            reader_.fail("'(' is not closed");
          }
          reader_.take();
        }
      } else {
        throw PtxError(token.line, "unexpected " + std::string(token.text) + " before the body of a function");
      }
    }
  }

  std::array<std::uint32_t, 3> dimensions() {
    std::array<std::uint32_t, 3> values{1, 1, 1};
    for (std::uint32_t& value : values) {
      value = static_cast<std::uint32_t>(reader_.expectInteger(1 << 20));
      if (!reader_.accept(",")) {
        break;
      }
    }
    return values;
  }

  void add(Function&& function) {
    const auto found = functionIndex_.find(function.name);
    if (found == functionIndex_.end()) {
      functionIndex_.emplace(function.name, static_cast<std::uint32_t>(module_.functions.size()));
      module_.functions.push_back(std::move(function));
      return;
    }
    Function& known = module_.functions[found->second];
    if (known.defined && function.defined && known.linkage != Linkage::weak) {
      throw PtxError(function.line, "'" + function.name + "' is defined twice");
    }
    if (function.defined && !known.defined) {
      function.noReturn |= known.noReturn;
      known = std::move(function);
    }
  }

  void resolveNames() {
    for (Function& function : module_.functions) {
      for (Instruction& instruction : function.instructions) {
        for (Operand& operand : instruction.operands) {
          resolve(operand, instruction.line);
        }
      }
      for (Table& table : function.tables) {
        for (Operand& entry : table.entries) {
          resolve(entry, function.line);
        }
      }
    }
  }

  /**
   * The last parameter of a variadic function is an array without a size. Its frame has room for the largest array
   * that any call hands to a variadic function, or through a pointer to what may be one.
   */
  void sizeVariadicParameters() {
    std::uint64_t room = 0;
    for (const Function& function : module_.functions) {
      for (const Instruction& instruction : function.instructions) {
        if (instruction.opcode() == "call") {
          room = std::max(room, variadicBytes(function, instruction));
        }
      }
    }
    for (Function& function : module_.functions) {
      if (isVariadic(function)) {
        function.parameters.back().size = room;
        function.variables[function.returns.size() + function.parameters.size() - 1].size = room;
      }
    }
  }

  static bool isVariadic(const Function& function) {
    return !function.entry && !function.parameters.empty() && function.parameters.back().unsized;
  }

  /** The size of a call's last argument, if the callee may be variadic. */
  std::uint64_t variadicBytes(const Function& caller, const Instruction& call) const {
    std::uint64_t bytes = 0;
    const bool hasResults = !call.operands.empty() && call.operands.front().kind == Operand::Kind::list;
    for (std::size_t i = hasResults ? 1 : 0; i < call.operands.size(); i++) {
      const Operand& operand = call.operands[i];
      if (operand.kind == Operand::Kind::function && !isVariadic(module_.functions[operand.index])) {
        return 0;
      }
      if (operand.kind == Operand::Kind::list && !operand.elements.empty()) {
        const Operand& last = operand.elements.back();
        const bool local = last.kind == Operand::Kind::variable && !last.moduleScope;
        bytes = local ? caller.variables[last.index].size : 0;
      }
    }
    return bytes;
  }

  void resolve(Operand& operand, std::int64_t line) {
    for (Operand& element : operand.elements) {
      resolve(element, line);
    }
    if (operand.kind != Operand::Kind::name) {
      return;
    }
    if (const auto variable = variableIndex_.find(operand.name); variable != variableIndex_.end()) {
      operand.kind = Operand::Kind::variable;
      operand.moduleScope = true;
      operand.index = variable->second;
    } else if (const auto function = functionIndex_.find(operand.name); function != functionIndex_.end()) {
      operand.kind = Operand::Kind::function;
      operand.index = function->second;
    } else {
      throw PtxError(line, "'" + operand.name + "' is not declared");
    }
  }

  TokenReader reader_;
  Module module_;
  std::unordered_map<std::string, std::uint32_t> variableIndex_;
  std::unordered_map<std::string, std::uint32_t> functionIndex_;
};

} // namespace

Module parse(std::string_view source) { return ModuleParser(source).run(); }

} // namespace simgpu::ptx
