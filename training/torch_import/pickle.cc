#include "training/torch_import/pickle.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <utility>
#include <variant>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "fairdarts/base/check.h"
#include "fairdarts/base/status.h"
#include "training/torch_import/shown.h"

namespace fairdarts {
namespace {

// What a node is. The first ones are PickleValue::Kind; the others exist only
// while a tensor or an array is put together.
enum class Type : uint8_t {
  kNone,
  kBool,
  kInt,
  kFloat,
  kString,
  kBytes,
  kTuple,
  kList,
  kDict,
  kTensor,
  kArray,
  kOrderedDict,
  kGlobal,
  kStorage,
  kDtype,  // NumPy's, always uint8
};

constexpr std::array<absl::string_view, 15> kTypeNames = {
    "None",     "a bool",         "an integer",      "a float",   "a string",
    "bytes",    "a tuple",        "a list",          "a dict",    "a tensor",
    "an array", "an OrderedDict", "a bare function", "a storage", "a dtype"};

absl::string_view NameOf(Type type) {
  return kTypeNames[static_cast<size_t>(type)];
}

enum class Callable {
  kOrderedDict,
  kRebuildParameter,
  kRebuildTensor,
  kRebuildTensorV2,
  kStorageType,
  kEncode,
  kArrayType,
  kDtypeType,
  kReconstruct,
  kFromBuffer,
};

struct Global {
  absl::string_view module;
  absl::string_view name;
  Callable callable;
  std::optional<PickleDialect> dialect;  // none: both
  DType dtype = DType::kU8;              // of a kStorageType
};

constexpr PickleDialect kTorch = PickleDialect::kTorch;
constexpr PickleDialect kNumpy = PickleDialect::kNumpy;

// Every name that a pickle may use, and all that there will ever be.
constexpr Global kGlobals[] = {
    {"collections", "OrderedDict", Callable::kOrderedDict, std::nullopt},
    {"torch._utils", "_rebuild_parameter", Callable::kRebuildParameter, kTorch},
    {"torch._utils", "_rebuild_tensor", Callable::kRebuildTensor, kTorch},
    {"torch._utils", "_rebuild_tensor_v2", Callable::kRebuildTensorV2, kTorch},
    {"torch", "BFloat16Storage", Callable::kStorageType, kTorch, DType::kBF16},
    {"torch", "BoolStorage", Callable::kStorageType, kTorch, DType::kBool},
    {"torch", "ByteStorage", Callable::kStorageType, kTorch, DType::kU8},
    {"torch", "CharStorage", Callable::kStorageType, kTorch, DType::kI8},
    {"torch", "DoubleStorage", Callable::kStorageType, kTorch, DType::kF64},
    {"torch", "FloatStorage", Callable::kStorageType, kTorch, DType::kF32},
    {"torch", "HalfStorage", Callable::kStorageType, kTorch, DType::kF16},
    {"torch", "IntStorage", Callable::kStorageType, kTorch, DType::kI32},
    {"torch", "LongStorage", Callable::kStorageType, kTorch, DType::kI64},
    {"torch", "ShortStorage", Callable::kStorageType, kTorch, DType::kI16},
    {"_codecs", "encode", Callable::kEncode, kNumpy},
    {"numpy", "dtype", Callable::kDtypeType, kNumpy},
    {"numpy", "ndarray", Callable::kArrayType, kNumpy},
    // NumPy 2 renamed numpy.core.
    {"numpy._core.multiarray", "_reconstruct", Callable::kReconstruct, kNumpy},
    {"numpy._core.numeric", "_frombuffer", Callable::kFromBuffer, kNumpy},
    {"numpy.core.multiarray", "_reconstruct", Callable::kReconstruct, kNumpy},
    {"numpy.core.numeric", "_frombuffer", Callable::kFromBuffer, kNumpy},
};

using Text = std::shared_ptr<const std::string>;

struct ArrayNode {
  PickledArray array;
  Text owner;
  bool built = false;
};

struct Node {
  Type type;
  std::variant<std::monostate, bool, absl::int128, double, Text,
               // Items; of a dict: key, value, key, value, ...
               std::vector<uint32_t>, std::unique_ptr<PickledTensor>,
               std::unique_ptr<PickledStorage>, std::unique_ptr<ArrayNode>,
               const Global*>
      value;
};

// Instructions, by the names of Python's pickletools.
enum Opcode : uint8_t {
  kMark = '(',
  kStop = '.',
  kBinInt = 'J',
  kBinInt1 = 'K',
  kBinInt2 = 'M',
  kInt = 'I',
  kLong = 'L',
  kLong1 = 0x8a,
  kLong4 = 0x8b,
  kNone = 'N',
  kNewTrue = 0x88,
  kNewFalse = 0x89,
  kBinFloat = 'G',
  kBinString = 'T',
  kShortBinString = 'U',
  kBinUnicode = 'X',
  kShortBinUnicode = 0x8c,
  kBinUnicode8 = 0x8d,
  kBinBytes = 'B',
  kShortBinBytes = 'C',
  kBinBytes8 = 0x8e,
  kByteArray8 = 0x96,
  kEmptyTuple = ')',
  kTuple = 't',
  kTuple1 = 0x85,
  kTuple2 = 0x86,
  kTuple3 = 0x87,
  kEmptyList = ']',
  kAppend = 'a',
  kAppends = 'e',
  kEmptyDict = '}',
  kSetItem = 's',
  kSetItems = 'u',
  kBinGet = 'h',
  kLongBinGet = 'j',
  kBinPut = 'q',
  kLongBinPut = 'r',
  kMemoize = 0x94,
  kGlobal = 'c',
  kStackGlobal = 0x93,
  kReduce = 'R',
  kBuild = 'b',
  kBinPersid = 'Q',
  kProto = 0x80,
  kFrame = 0x95,
};

// Instructions of Python that this machine does not have.
absl::string_view RefusedName(uint8_t opcode) {
  switch (opcode) {
    case 'F':
      return "FLOAT";
    case 'P':
      return "PERSID";
    case 'S':
      return "STRING";
    case 'V':
      return "UNICODE";
    case '0':
      return "POP";
    case '1':
      return "POP_MARK";
    case '2':
      return "DUP";
    case 'd':
      return "DICT";
    case 'g':
      return "GET";
    case 'i':
      return "INST";
    case 'l':
      return "LIST";
    case 'o':
      return "OBJ";
    case 'p':
      return "PUT";
    case 0x81:
      return "NEWOBJ";
    case 0x82:
      return "EXT1";
    case 0x83:
      return "EXT2";
    case 0x84:
      return "EXT4";
    case 0x8f:
      return "EMPTY_SET";
    case 0x90:
      return "ADDITEMS";
    case 0x91:
      return "FROZENSET";
    case 0x92:
      return "NEWOBJ_EX";
    case 0x97:
      return "NEXT_BUFFER";
    case 0x98:
      return "READONLY_BUFFER";
    default:
      return "";
  }
}

}  // namespace

namespace internal {
// Flat, whatever the nesting of the values: destruction does not recurse, and
// a cycle neither leaks nor lives on.
struct PickleNodes {
  std::vector<Node> nodes;
};
}  // namespace internal

class PickleMachine {
 public:
  PickleMachine(absl::string_view bytes, PickleDialect dialect)
      : bytes_(bytes),
        dialect_(dialect),
        budget_(2 * uint64_t{bytes.size()}),
        owner_(std::make_shared<internal::PickleNodes>()),
        nodes_(owner_->nodes) {}

  absl::StatusOr<Pickle> Run() {
    while (true) {
      start_ = position_;
      FD_ASSIGN_OR_RETURN(const uint64_t opcode, TakeNumber(1));
      if (opcode == kStop) break;
      FD_RETURN_IF_ERROR(Step(static_cast<uint8_t>(opcode)));
    }
    if (stack_.size() != 1 || !marks_.empty()) {
      return Error(absl::StrCat("ends with ", stack_.size(),
                                " values on the stack, should be 1"));
    }
    FD_RETURN_IF_ERROR(CheckGraph(stack_[0]));
    Pickle pickle;
    pickle.root = PickleValue(owner_, stack_[0]);
    pickle.storages = std::move(storages_);
    pickle.bytes_used = position_;
    return pickle;
  }

 private:
  absl::Status Error(absl::string_view what) const {
    return absl::DataLossError(absl::StrCat("at byte ", start_, ": ", what));
  }

  absl::StatusOr<absl::string_view> Take(uint64_t n) {
    const uint64_t left = bytes_.size() - position_;
    if (n > left) {
      return Error(
          absl::StrCat("asks for ", n, " bytes where ", left, " are left"));
    }
    const absl::string_view taken = bytes_.substr(position_, n);
    position_ += n;
    return taken;
  }

  // Little-endian, n <= 8 bytes.
  absl::StatusOr<uint64_t> TakeNumber(int n) {
    FD_ASSIGN_OR_RETURN(const absl::string_view taken, Take(n));
    uint64_t number = 0;
    for (int i = n - 1; i >= 0; --i) {
      number = number << 8 | static_cast<uint8_t>(taken[i]);
    }
    return number;
  }

  absl::StatusOr<absl::string_view> TakeLine() {
    constexpr size_t kMaxLine = 256;
    const size_t end = bytes_.substr(position_, kMaxLine).find('\n');
    if (end == absl::string_view::npos) {
      return Error("should be followed by a line of text");
    }
    const absl::string_view line = bytes_.substr(position_, end);
    position_ += end + 1;
    return line;
  }

  // For what costs more than the bytes that ask for it.
  absl::Status Charge(uint64_t bytes) {
    if (bytes > budget_) {
      return Error("makes more out of its bytes than there are");
    }
    budget_ -= bytes;
    return absl::OkStatus();
  }

  // ---- stack ----

  absl::Status Push(uint32_t node) {
    if (stack_.size() >= kMaxPickleValues) {
      return Error(
          absl::StrCat("stacks more than ", kMaxPickleValues, " values"));
    }
    stack_.push_back(node);
    return absl::OkStatus();
  }

  template <typename Value>
  absl::Status PushNew(Type type, Value&& value) {
    if (nodes_.size() >= kMaxPickleValues) {
      return Error(absl::StrCat("has more than ", kMaxPickleValues, " values"));
    }
    nodes_.push_back(Node{type, std::forward<Value>(value)});
    return Push(static_cast<uint32_t>(nodes_.size() - 1));
  }

  absl::Status PushNone() { return PushNew(Type::kNone, std::monostate()); }
  absl::Status PushInt(absl::int128 value) {
    return PushNew(Type::kInt, value);
  }
  absl::Status PushText(Type type, absl::string_view text) {
    return PushNew(type, std::make_shared<const std::string>(text));
  }
  absl::Status PushItems(Type type, std::vector<uint32_t> items) {
    return PushNew(type, std::move(items));
  }

  size_t Available() const {
    return stack_.size() - (marks_.empty() ? 0 : marks_.back());
  }

  absl::StatusOr<uint32_t> Pop() {
    if (Available() == 0) return Error("takes a value from an empty stack");
    const uint32_t node = stack_.back();
    stack_.pop_back();
    return node;
  }

  absl::StatusOr<std::vector<uint32_t>> PopMany(size_t n) {
    if (Available() < n) return Error("takes a value from an empty stack");
    std::vector<uint32_t> items(stack_.end() - n, stack_.end());
    stack_.resize(stack_.size() - n);
    return items;
  }

  absl::StatusOr<std::vector<uint32_t>> PopToMark() {
    if (marks_.empty()) return Error("has no mark on the stack");
    FD_ASSIGN_OR_RETURN(std::vector<uint32_t> items, PopMany(Available()));
    marks_.pop_back();
    return items;
  }

  // ---- what arguments are ----

  Node& At(uint32_t node) { return nodes_[node]; }
  Type TypeOf(uint32_t node) const { return nodes_[node].type; }

  bool IsText(uint32_t node) const {
    return TypeOf(node) == Type::kString || TypeOf(node) == Type::kBytes;
  }
  bool IsText(uint32_t node, absl::string_view text) const {
    return IsText(node) && *TextOf(node) == text;
  }
  const Text& TextOf(uint32_t node) const {
    return std::get<Text>(nodes_[node].value);
  }
  const std::vector<uint32_t>& Items(uint32_t node) const {
    return std::get<std::vector<uint32_t>>(nodes_[node].value);
  }
  bool IsCallable(uint32_t node, Callable callable) const {
    return TypeOf(node) == Type::kGlobal &&
           std::get<const Global*>(nodes_[node].value)->callable == callable;
  }
  bool IsDict(uint32_t node) const {
    return TypeOf(node) == Type::kDict || TypeOf(node) == Type::kOrderedDict;
  }
  // A number of elements or a position among them.
  std::optional<int64_t> Count(uint32_t node) const {
    if (TypeOf(node) != Type::kInt) return std::nullopt;
    const absl::int128 value = std::get<absl::int128>(nodes_[node].value);
    if (value < 0 || value > std::numeric_limits<int64_t>::max()) {
      return std::nullopt;
    }
    return static_cast<int64_t>(value);
  }
  // A tuple of counts: a shape or strides.
  std::optional<std::vector<int64_t>> Counts(uint32_t node) const {
    if (TypeOf(node) != Type::kTuple ||
        Items(node).size() > kMaxTensorDimensions) {
      return std::nullopt;
    }
    std::vector<int64_t> counts;
    for (const uint32_t item : Items(node)) {
      const std::optional<int64_t> count = Count(item);
      if (!count.has_value()) return std::nullopt;
      counts.push_back(*count);
    }
    return counts;
  }
  // A bool, or the 0 and 1 that old writers have for it.
  std::optional<bool> Truth(uint32_t node) const {
    if (TypeOf(node) == Type::kBool) return std::get<bool>(nodes_[node].value);
    const std::optional<int64_t> count = Count(node);
    if (!count.has_value() || *count > 1) return std::nullopt;
    return *count == 1;
  }

  // ---- instructions ----

  absl::Status Step(uint8_t opcode) {
    switch (opcode) {
      case kProto: {
        FD_ASSIGN_OR_RETURN(const uint64_t protocol, TakeNumber(1));
        if (start_ != 0) return Error("PROTO stands only at the beginning");
        if (protocol > 5) {
          return Error(absl::StrCat("protocol ", protocol,
                                    " is unknown, should be at most 5"));
        }
        return absl::OkStatus();
      }
      case kFrame: {
        FD_ASSIGN_OR_RETURN(const uint64_t size, TakeNumber(8));
        if (size > bytes_.size() - position_) {
          return Error(absl::StrCat("has a frame of ", size, " bytes where ",
                                    bytes_.size() - position_, " are left"));
        }
        return absl::OkStatus();
      }
      case kMark:
        // An open mark is at least a nested container.
        if (marks_.size() >= 2 * kMaxPickleDepth) return TooDeep();
        marks_.push_back(stack_.size());
        return absl::OkStatus();
      case kNone:
        return PushNone();
      case kNewTrue:
      case kNewFalse:
        return PushNew(Type::kBool, opcode == kNewTrue);
      case kBinInt: {
        FD_ASSIGN_OR_RETURN(const uint64_t bits, TakeNumber(4));
        return PushInt(static_cast<int32_t>(bits));
      }
      case kBinInt1: {
        FD_ASSIGN_OR_RETURN(const uint64_t value, TakeNumber(1));
        return PushInt(value);
      }
      case kBinInt2: {
        FD_ASSIGN_OR_RETURN(const uint64_t value, TakeNumber(2));
        return PushInt(value);
      }
      case kInt:
      case kLong:
        return DecimalInt(opcode);
      case kLong1: {
        FD_ASSIGN_OR_RETURN(const uint64_t size, TakeNumber(1));
        return BinaryLong(size);
      }
      case kLong4: {
        FD_ASSIGN_OR_RETURN(const uint64_t size, TakeNumber(4));
        return BinaryLong(size);
      }
      case kBinFloat: {
        FD_ASSIGN_OR_RETURN(const absl::string_view taken, Take(8));
        uint64_t bits = 0;
        for (const char c : taken) bits = bits << 8 | static_cast<uint8_t>(c);
        double value;
        std::memcpy(&value, &bits, sizeof(value));
        return PushNew(Type::kFloat, value);
      }
      case kShortBinString:
      case kShortBinUnicode:
        return Counted(1, Type::kString);
      case kBinString:
      case kBinUnicode:
        return Counted(4, Type::kString);
      case kBinUnicode8:
        return Counted(8, Type::kString);
      case kShortBinBytes:
        return Counted(1, Type::kBytes);
      case kBinBytes:
        return Counted(4, Type::kBytes);
      case kBinBytes8:
      case kByteArray8:
        return Counted(8, Type::kBytes);
      case kEmptyTuple:
        return PushItems(Type::kTuple, {});
      case kTuple1:
      case kTuple2:
      case kTuple3: {
        FD_ASSIGN_OR_RETURN(std::vector<uint32_t> items,
                            PopMany(opcode - kTuple1 + 1));
        return PushItems(Type::kTuple, std::move(items));
      }
      case kTuple: {
        FD_ASSIGN_OR_RETURN(std::vector<uint32_t> items, PopToMark());
        return PushItems(Type::kTuple, std::move(items));
      }
      case kEmptyList:
        return PushItems(Type::kList, {});
      case kEmptyDict:
        return PushItems(Type::kDict, {});
      case kAppend:
      case kAppends:
      case kSetItem:
      case kSetItems:
        return Extend(opcode);
      case kBinGet:
        return Get(1);
      case kLongBinGet:
        return Get(4);
      case kBinPut:
        return Put(1);
      case kLongBinPut:
        return Put(4);
      case kMemoize:
        return Memoize(memo_.size());
      case kGlobal: {
        FD_ASSIGN_OR_RETURN(const absl::string_view module, TakeLine());
        FD_ASSIGN_OR_RETURN(const absl::string_view name, TakeLine());
        return Import(module, name);
      }
      case kStackGlobal: {
        FD_ASSIGN_OR_RETURN(const std::vector<uint32_t> names, PopMany(2));
        if (TypeOf(names[0]) != Type::kString ||
            TypeOf(names[1]) != Type::kString) {
          return Error("names a function by something that is no string");
        }
        return Import(*TextOf(names[0]), *TextOf(names[1]));
      }
      case kReduce: {
        FD_ASSIGN_OR_RETURN(const std::vector<uint32_t> call, PopMany(2));
        return Reduce(call[0], call[1]);
      }
      case kBuild: {
        FD_ASSIGN_OR_RETURN(const uint32_t state, Pop());
        if (Available() == 0) return Error("takes a value from an empty stack");
        return Build(stack_.back(), state);
      }
      case kBinPersid: {
        FD_ASSIGN_OR_RETURN(const uint32_t id, Pop());
        return Persistent(id);
      }
      default: {
        const absl::string_view name = RefusedName(opcode);
        return Error(name.empty()
                         ? absl::StrCat("byte ", static_cast<int>(opcode),
                                        " is no instruction of a pickle")
                         : absl::StrCat("refuses the instruction ", name));
      }
    }
  }

  absl::Status TooDeep() const {
    return Error(
        absl::StrCat("is nested more than ", kMaxPickleDepth, " deep"));
  }

  absl::Status DecimalInt(uint8_t opcode) {
    FD_ASSIGN_OR_RETURN(absl::string_view digits, TakeLine());
    // How protocols 0 and 1 write a bool.
    if (opcode == kInt && (digits == "00" || digits == "01")) {
      return PushNew(Type::kBool, digits == "01");
    }
    absl::string_view number = digits;
    if (opcode == kLong && absl::EndsWith(number, "L")) number.remove_suffix(1);
    absl::int128 value;
    if (!absl::SimpleAtoi(number, &value)) {
      return Error(absl::StrCat("\"", Shown(digits),
                                "\" is no integer of at most 16 bytes"));
    }
    return PushInt(value);
  }

  // Two's complement, little-endian.
  absl::Status BinaryLong(uint64_t size) {
    if (size > sizeof(absl::int128)) {
      return Error(absl::StrCat("has an integer of ", size,
                                " bytes, should be at most ",
                                sizeof(absl::int128)));
    }
    FD_ASSIGN_OR_RETURN(const absl::string_view taken, Take(size));
    const bool negative =
        !taken.empty() && static_cast<uint8_t>(taken.back()) >= 0x80;
    absl::uint128 bits = negative ? ~absl::uint128(0) : absl::uint128(0);
    for (size_t i = taken.size(); i > 0; --i) {
      bits = bits << 8 | static_cast<uint8_t>(taken[i - 1]);
    }
    return PushInt(static_cast<absl::int128>(bits));
  }

  absl::Status Counted(int size_bytes, Type type) {
    FD_ASSIGN_OR_RETURN(const uint64_t size, TakeNumber(size_bytes));
    FD_ASSIGN_OR_RETURN(const absl::string_view text, Take(size));
    return PushText(type, text);
  }

  absl::Status Extend(uint8_t opcode) {
    const bool many = opcode == kAppends || opcode == kSetItems;
    const bool dict = opcode == kSetItem || opcode == kSetItems;
    FD_ASSIGN_OR_RETURN(const std::vector<uint32_t> items,
                        many ? PopToMark() : PopMany(dict ? 2 : 1));
    if (Available() == 0) return Error("takes a value from an empty stack");
    const uint32_t target = stack_.back();
    if (dict ? !IsDict(target) : TypeOf(target) != Type::kList) {
      return Error(absl::StrCat("adds items to ", NameOf(TypeOf(target)),
                                ", should be a ", dict ? "dict" : "list"));
    }
    if (dict && items.size() % 2 != 0) {
      return Error("sets a dict's key without a value");
    }
    auto& old = std::get<std::vector<uint32_t>>(At(target).value);
    old.insert(old.end(), items.begin(), items.end());
    return absl::OkStatus();
  }

  absl::Status Get(int bytes) {
    FD_ASSIGN_OR_RETURN(const uint64_t index, TakeNumber(bytes));
    const auto found = memo_.find(index);
    if (found == memo_.end()) {
      return Error(absl::StrCat("asks for value ", index,
                                " of the memo, which was never put there"));
    }
    return Push(found->second);
  }

  absl::Status Put(int bytes) {
    FD_ASSIGN_OR_RETURN(const uint64_t index, TakeNumber(bytes));
    return Memoize(index);
  }

  absl::Status Memoize(uint64_t index) {
    if (Available() == 0) return Error("memorises a value of an empty stack");
    if (memo_.size() >= kMaxPickleValues) {
      return Error(
          absl::StrCat("memorises more than ", kMaxPickleValues, " values"));
    }
    memo_[index] = stack_.back();
    return absl::OkStatus();
  }

  absl::Status Import(absl::string_view module, absl::string_view name) {
    // Python 3 writes Python 2's names below protocol 3; none of these differ.
    for (const Global& global : kGlobals) {
      if (global.module == module && global.name == name &&
          global.dialect.value_or(dialect_) == dialect_) {
        return PushNew(Type::kGlobal, &global);
      }
    }
    return Error(absl::StrCat(
        "refuses to call ", Shown(module), ".", Shown(name), ": only plain ",
        dialect_ == kTorch ? "values and tensors" : "values and uint8 arrays",
        " are read"));
  }

  // ---- calls ----

  absl::Status Reduce(uint32_t function, uint32_t arguments) {
    if (TypeOf(function) != Type::kGlobal) {
      return Error(absl::StrCat("refuses to call ", NameOf(TypeOf(function))));
    }
    const Global& global = *std::get<const Global*>(At(function).value);
    if (TypeOf(arguments) != Type::kTuple) {
      return BadArguments(global, "should be a tuple");
    }
    // A copy of the few that a call has: pushing moves the nodes.
    constexpr size_t kMaxArguments = 8;
    if (Items(arguments).size() > kMaxArguments) {
      return BadArguments(global, "are too many");
    }
    const std::vector<uint32_t> args = Items(arguments);
    switch (global.callable) {
      case Callable::kOrderedDict:
        return MakeOrderedDict(global, args);
      case Callable::kRebuildParameter:
        // (tensor, requires_grad, backward_hooks)
        if (args.size() != 3 || TypeOf(args[0]) != Type::kTensor) {
          return BadArguments(global, "should be a tensor and two more");
        }
        return Push(args[0]);
      case Callable::kRebuildTensor:
        // (storage, offset, shape, strides)
        if (args.size() != 4) return BadArguments(global, "should be 4");
        return MakeTensor(global, args);
      case Callable::kRebuildTensorV2:
        // requires_grad, backward_hooks and perhaps metadata follow.
        if (args.size() != 6 && args.size() != 7) {
          return BadArguments(global, "should be 6 or 7");
        }
        return MakeTensor(global, args);
      case Callable::kEncode:
        return Encode(global, args);
      case Callable::kDtypeType:
        if (args.size() != 3 || !IsText(args[0])) {
          return BadArguments(global, "should be a type and two flags");
        }
        if (!IsText(args[0], "u1")) {
          return BadArguments(
              global, absl::StrCat("name the type ", Shown(*TextOf(args[0])),
                                   ", should be u1 (uint8)"));
        }
        return PushNew(Type::kDtype, std::monostate());
      case Callable::kReconstruct:
        // (numpy.ndarray, (0,), "b"): an empty array, filled by BUILD.
        if (args.size() != 3 || !IsCallable(args[0], Callable::kArrayType)) {
          return BadArguments(global, "should be numpy.ndarray and two more");
        }
        return PushNew(Type::kArray, std::make_unique<ArrayNode>());
      case Callable::kFromBuffer: {
        // (data, dtype, shape, order)
        if (args.size() != 4 || !IsText(args[0]) ||
            !(IsText(args[3], "C") || IsText(args[3], "F"))) {
          return BadArguments(global,
                              "should be bytes, a dtype, a shape and C or F");
        }
        auto array = std::make_unique<ArrayNode>();
        FD_RETURN_IF_ERROR(FillArray(args[0], args[1], args[2],
                                     IsText(args[3], "F"), array.get()));
        return PushNew(Type::kArray, std::move(array));
      }
      case Callable::kArrayType:
      case Callable::kStorageType:
        break;
    }
    return Error(absl::StrCat("refuses to call ", global.module, ".",
                              global.name, " by itself"));
  }

  absl::Status BadArguments(const Global& global, absl::string_view what) {
    return Error(absl::StrCat("arguments of ", global.module, ".", global.name,
                              " ", what));
  }

  absl::Status MakeOrderedDict(const Global& global,
                               const std::vector<uint32_t>& args) {
    if (args.empty()) return PushItems(Type::kOrderedDict, {});
    // Python 2 gives it the items as a list of lists.
    if (args.size() != 1 || TypeOf(args[0]) != Type::kList) {
      return BadArguments(global, "should be none or a list");
    }
    std::vector<uint32_t> items;
    FD_RETURN_IF_ERROR(Charge(Items(args[0]).size()));
    for (const uint32_t pair : Items(args[0])) {
      if ((TypeOf(pair) != Type::kList && TypeOf(pair) != Type::kTuple) ||
          Items(pair).size() != 2) {
        return BadArguments(global, "should be a list of keys with values");
      }
      items.insert(items.end(), Items(pair).begin(), Items(pair).end());
    }
    return PushItems(Type::kOrderedDict, std::move(items));
  }

  absl::Status MakeTensor(const Global& global,
                          const std::vector<uint32_t>& args) {
    if (TypeOf(args[0]) != Type::kStorage) {
      return BadArguments(global, "should begin with a storage");
    }
    const std::optional<int64_t> offset = Count(args[1]);
    std::optional<std::vector<int64_t>> shape = Counts(args[2]);
    std::optional<std::vector<int64_t>> strides = Counts(args[3]);
    if (!offset.has_value() || !shape.has_value() || !strides.has_value() ||
        shape->size() != strides->size()) {
      return BadArguments(
          global, absl::StrCat("should be a storage, an offset, a shape of at "
                               "most ",
                               kMaxTensorDimensions,
                               " dimensions and as many strides, none below "
                               "0"));
    }
    const PickledStorage& storage =
        *std::get<std::unique_ptr<PickledStorage>>(At(args[0]).value);
    bool empty = false;
    for (const int64_t size : *shape) empty |= size == 0;
    int64_t elements = 1;
    int64_t last = *offset;
    bool fits = true;
    for (size_t i = 0; i < shape->size() && fits; ++i) {
      if ((*shape)[i] == 0) continue;
      int64_t span = 0;
      fits = !__builtin_mul_overflow(elements, (*shape)[i], &elements) &&
             !__builtin_mul_overflow((*shape)[i] - 1, (*strides)[i], &span) &&
             !__builtin_add_overflow(last, span, &last);
    }
    fits = fits &&
           (empty ? *offset <= storage.elements
                  : last < storage.elements && elements <= storage.elements);
    if (!fits) {
      return Error(absl::StrCat("has a tensor that claims more than the ",
                                storage.elements, " elements of its storage ",
                                Shown(storage.key)));
    }
    return PushNew(Type::kTensor, std::make_unique<PickledTensor>(PickledTensor{
                                      storage, *offset, *std::move(shape),
                                      *std::move(strides)}));
  }

  // Bytes below protocol 3: a string of code points 0 to 255, in UTF-8.
  absl::Status Encode(const Global& global, const std::vector<uint32_t>& args) {
    if (args.size() != 2 || TypeOf(args[0]) != Type::kString ||
        !IsText(args[1], "latin1")) {
      return BadArguments(global, "should be a string and \"latin1\"");
    }
    const std::string& text = *TextOf(args[0]);
    FD_RETURN_IF_ERROR(Charge(text.size()));
    std::string encoded;
    encoded.reserve(text.size());
    for (size_t i = 0; i < text.size(); ++i) {
      const auto c = static_cast<uint8_t>(text[i]);
      if (c < 0x80) {
        encoded += text[i];
        continue;
      }
      if ((c != 0xc2 && c != 0xc3) || i + 1 == text.size() ||
          (text[i + 1] & 0xc0) != 0x80) {
        return BadArguments(
            global, absl::StrCat("should be characters of Latin-1, byte ", i,
                                 " is not"));
      }
      ++i;
      encoded += static_cast<char>((c & 3) << 6 | (text[i] & 0x3f));
    }
    return PushNew(Type::kBytes,
                   std::make_shared<const std::string>(std::move(encoded)));
  }

  absl::Status FillArray(uint32_t data, uint32_t dtype, uint32_t shape,
                         bool columns_first, ArrayNode* node) {
    const std::optional<std::vector<int64_t>> counts = Counts(shape);
    if (TypeOf(dtype) != Type::kDtype || !counts.has_value()) {
      return Error("should give an array a uint8 dtype and a shape");
    }
    int64_t bytes = 1;
    for (const int64_t size : *counts) {
      if (__builtin_mul_overflow(bytes, size, &bytes)) bytes = -1;
      if (bytes < 0) break;
    }
    node->owner = TextOf(data);
    if (bytes != static_cast<int64_t>(node->owner->size())) {
      return Error(absl::StrCat("has an array whose shape does not fit its ",
                                node->owner->size(), " bytes"));
    }
    if (columns_first && counts->size() > 1) {
      if (counts->size() != 2) {
        return Error("has an array in column-major order that is no matrix");
      }
      FD_RETURN_IF_ERROR(Charge(bytes));
      const int64_t rows = (*counts)[0];
      const int64_t columns = (*counts)[1];
      std::string transposed(bytes, '\0');
      for (int64_t column = 0; column < columns; ++column) {
        const char* source = node->owner->data() + column * rows;
        for (int64_t row = 0; row < rows; ++row) {
          transposed[row * columns + column] = source[row];
        }
      }
      node->owner = std::make_shared<const std::string>(std::move(transposed));
    }
    node->array.shape = *counts;
    node->array.data = *node->owner;
    node->built = true;
    return absl::OkStatus();
  }

  absl::Status Build(uint32_t target, uint32_t state) {
    switch (TypeOf(target)) {
      case Type::kOrderedDict:
        // Attributes, which are not part of the items: a state dict's
        // _metadata with the versions of its modules.
        if (!IsDict(state)) {
          return Error("should give an OrderedDict its attributes as a dict");
        }
        return absl::OkStatus();
      case Type::kDtype:
        // (3, byte order, ...): uint8 has none, which is written as "|".
        if (TypeOf(state) != Type::kTuple || Items(state).size() < 2 ||
            !IsText(Items(state)[1], "|")) {
          return Error("should give numpy.dtype the byte order |");
        }
        return absl::OkStatus();
      case Type::kArray: {
        // (1, shape, dtype, column-major, data)
        auto* node =
            std::get<std::unique_ptr<ArrayNode>>(At(target).value).get();
        if (node->built) return Error("fills an array twice");
        if (TypeOf(state) != Type::kTuple || Items(state).size() != 5 ||
            Count(Items(state)[0]) != 1 ||
            !Truth(Items(state)[3]).has_value() || !IsText(Items(state)[4])) {
          return Error(
              "should fill an array with 1, shape, dtype, order and bytes");
        }
        const std::vector<uint32_t>& items = Items(state);
        return FillArray(items[4], items[2], items[1], *Truth(items[3]), node);
      }
      default:
        return Error(absl::StrCat("refuses to set the state of ",
                                  NameOf(TypeOf(target))));
    }
  }

  // ("storage", type, key, location, elements) and, in the legacy format, a
  // description of a view, which no version since 0.4 writes.
  absl::Status Persistent(uint32_t id) {
    if (TypeOf(id) != Type::kTuple || dialect_ != kTorch ||
        Items(id).size() < 5 || Items(id).size() > 6 ||
        !IsText(Items(id)[0], "storage") ||
        !IsCallable(Items(id)[1], Callable::kStorageType) ||
        !IsText(Items(id)[2]) || !IsText(Items(id)[3]) ||
        !Count(Items(id)[4]).has_value() ||
        (Items(id).size() == 6 && TypeOf(Items(id)[5]) != Type::kNone)) {
      return Error("refers to something outside that is no tensor storage");
    }
    const std::vector<uint32_t>& items = Items(id);
    PickledStorage storage{std::get<const Global*>(At(items[1]).value)->dtype,
                           *TextOf(items[2]), *Count(items[4])};
    constexpr size_t kMaxKey = 100;
    if (storage.key.empty() || storage.key.size() > kMaxKey) {
      return Error(absl::StrCat("has a storage key of ", storage.key.size(),
                                " bytes, should be 1 to ", kMaxKey));
    }
    if (storage.elements >
        std::numeric_limits<int64_t>::max() / DTypeBytes(storage.dtype)) {
      return Error(absl::StrCat("has a storage of ", storage.elements,
                                " elements, more than there can be"));
    }
    const auto [known, added] = storages_.try_emplace(storage.key, storage);
    if (!added && (known->second.dtype != storage.dtype ||
                   known->second.elements != storage.elements)) {
      return Error(absl::StrCat("has the storage ", Shown(storage.key),
                                " with two types or sizes"));
    }
    return PushNew(Type::kStorage,
                   std::make_unique<PickledStorage>(std::move(storage)));
  }

  // ---- the finished value ----

  // Everything below the root is plain data, no container contains itself and
  // none is nested too deep.
  absl::Status CheckGraph(uint32_t root) {
    constexpr int kUnseen = 0;
    constexpr int kOpen = -1;
    // Once closed, how many levels lie below a node and with it.
    std::vector<int> height(nodes_.size(), kUnseen);
    struct Visit {
      uint32_t node;
      size_t next;
      int below;
    };
    std::vector<Visit> path;
    const auto open = [&](uint32_t node) -> absl::Status {
      if (TypeOf(node) > Type::kOrderedDict) {
        return Error(absl::StrCat("has ", NameOf(TypeOf(node)),
                                  " as a value, should be plain data"));
      }
      if (TypeOf(node) == Type::kArray &&
          !std::get<std::unique_ptr<ArrayNode>>(At(node).value)->built) {
        return Error("has an array that is never filled");
      }
      if (path.size() >= kMaxPickleDepth) return TooDeep();
      height[node] = kOpen;
      path.push_back({node, 0, 0});
      return absl::OkStatus();
    };
    FD_RETURN_IF_ERROR(open(root));
    while (!path.empty()) {
      Visit& visit = path.back();
      const auto* items =
          std::get_if<std::vector<uint32_t>>(&At(visit.node).value);
      if (items != nullptr && visit.next < items->size()) {
        const uint32_t child = (*items)[visit.next++];
        if (height[child] == kUnseen) {
          FD_RETURN_IF_ERROR(open(child));
        } else if (height[child] == kOpen) {
          return Error(absl::StrCat("has ", NameOf(TypeOf(child)),
                                    " that contains itself"));
        } else {
          if (path.size() + height[child] > kMaxPickleDepth) return TooDeep();
          visit.below = std::max(visit.below, height[child]);
        }
        continue;
      }
      if (IsDict(visit.node)) FD_RETURN_IF_ERROR(CheckKeys(*items));
      const int levels = visit.below + 1;
      height[visit.node] = levels;
      path.pop_back();
      if (!path.empty()) {
        path.back().below = std::max(path.back().below, levels);
      }
    }
    return absl::OkStatus();
  }

  absl::Status CheckKeys(const std::vector<uint32_t>& items) const {
    absl::flat_hash_set<absl::string_view> texts;
    absl::flat_hash_set<absl::int128> integers;
    for (size_t i = 0; i < items.size(); i += 2) {
      const uint32_t key = items[i];
      if (IsText(key)) {
        if (!texts.insert(*TextOf(key)).second) {
          return Error(absl::StrCat("has the dict key \"", Shown(*TextOf(key)),
                                    "\" twice"));
        }
      } else if (TypeOf(key) == Type::kInt) {
        if (!integers.insert(std::get<absl::int128>(nodes_[key].value))
                 .second) {
          return Error("has the same integer as a dict key twice");
        }
      } else {
        return Error(absl::StrCat("has ", NameOf(TypeOf(key)),
                                  " as a dict key, should be a string or an "
                                  "integer"));
      }
    }
    return absl::OkStatus();
  }

  const absl::string_view bytes_;
  const PickleDialect dialect_;
  size_t position_ = 0;
  size_t start_ = 0;  // of the instruction
  uint64_t budget_;
  std::shared_ptr<internal::PickleNodes> owner_;
  std::vector<Node>& nodes_;
  std::vector<uint32_t> stack_;
  std::vector<size_t> marks_;  // sizes of the stack
  absl::flat_hash_map<uint64_t, uint32_t> memo_;
  std::map<std::string, PickledStorage> storages_;
};

namespace {

const Node& NodeOf(const std::shared_ptr<const internal::PickleNodes>& nodes,
                   uint32_t index) {
  static const Node* const kNone = new Node{Type::kNone, std::monostate()};
  return nodes == nullptr ? *kNone : nodes->nodes[index];
}

// The contents of a node of the right kind.
template <typename Value>
const Value& Contents(const Node& node, bool right_kind) {
  FD_CHECK(right_kind) << "the value is " << NameOf(node.type);
  return std::get<Value>(node.value);
}

}  // namespace

int64_t PickledTensor::elements() const {
  int64_t elements = 1;
  for (const int64_t size : shape) elements *= size;
  return elements;
}

PickleValue::PickleValue() = default;

PickleValue::PickleValue(std::shared_ptr<const internal::PickleNodes> nodes,
                         uint32_t index)
    : nodes_(std::move(nodes)), index_(index) {}

PickleValue::Kind PickleValue::kind() const {
  const Type type = NodeOf(nodes_, index_).type;
  return type == Type::kOrderedDict ? Kind::kDict : static_cast<Kind>(type);
}

absl::string_view PickleValue::kind_name() const {
  return NameOf(NodeOf(nodes_, index_).type);
}

bool PickleValue::bool_value() const {
  return Contents<bool>(NodeOf(nodes_, index_), is(Kind::kBool));
}

absl::int128 PickleValue::int_value() const {
  return Contents<absl::int128>(NodeOf(nodes_, index_), is(Kind::kInt));
}

double PickleValue::float_value() const {
  return Contents<double>(NodeOf(nodes_, index_), is(Kind::kFloat));
}

absl::string_view PickleValue::text() const {
  return *Contents<Text>(NodeOf(nodes_, index_), is_text());
}

const PickledTensor& PickleValue::tensor() const {
  return *Contents<std::unique_ptr<PickledTensor>>(NodeOf(nodes_, index_),
                                                   is(Kind::kTensor));
}

const PickledArray& PickleValue::array() const {
  return Contents<std::unique_ptr<ArrayNode>>(NodeOf(nodes_, index_),
                                              is(Kind::kArray))
      ->array;
}

std::optional<int64_t> PickleValue::int64_value() const {
  if (!is(Kind::kInt) || int_value() < std::numeric_limits<int64_t>::min() ||
      int_value() > std::numeric_limits<int64_t>::max()) {
    return std::nullopt;
  }
  return static_cast<int64_t>(int_value());
}

size_t PickleValue::size() const {
  const size_t items =
      Contents<std::vector<uint32_t>>(
          NodeOf(nodes_, index_),
          is(Kind::kTuple) || is(Kind::kList) || is(Kind::kDict))
          .size();
  return is(Kind::kDict) ? items / 2 : items;
}

PickleValue PickleValue::item(size_t i) const {
  FD_CHECK_LT(i, size());
  return PickleValue(
      nodes_,
      std::get<std::vector<uint32_t>>(
          NodeOf(nodes_, index_).value)[is(Kind::kDict) ? 2 * i + 1 : i]);
}

PickleValue PickleValue::key(size_t i) const {
  FD_CHECK(is(Kind::kDict)) << "only a dict has keys";
  FD_CHECK_LT(i, size());
  return PickleValue(nodes_, std::get<std::vector<uint32_t>>(
                                 NodeOf(nodes_, index_).value)[2 * i]);
}

std::optional<PickleValue> PickleValue::Find(absl::string_view key) const {
  for (size_t i = 0; i < size(); ++i) {
    const PickleValue candidate = this->key(i);
    if (candidate.is_text() && candidate.text() == key) return item(i);
  }
  return std::nullopt;
}

absl::StatusOr<Pickle> ParsePickle(absl::string_view bytes,
                                   PickleDialect dialect) {
  return PickleMachine(bytes, dialect).Run();
}

}  // namespace fairdarts
