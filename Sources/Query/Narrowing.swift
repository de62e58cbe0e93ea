import NGSI

/// A simplified condition that every entity which satisfies a ``Filter`` satisfies too.
///
/// A store answers it from an index of ``IndexValue``s and gives the candidates to the evaluator: it may find too many
/// entities, never too few. A condition on values holds for an entity when **one** index value of that attribute meets
/// it; ``IndexValue/unlisted`` meets every one of them.
public indirect enum Narrowing: Sendable, Hashable {
  /// Every entity may match: no index helps.
  case everything
  /// No entity can match.
  case nothing
  case all([Narrowing])
  case any([Narrowing])
  /// The entity has at least one instance of the attribute (expanded IRI).
  case hasAttribute(String)
  /// The attribute has more than one number or text: ``IndexValue/several``.
  case several(String)
  /// A ``IndexValue/number(_:)`` from `low` to `high`, both included; `nil` is unbounded.
  case number(attribute: String, low: Double?, high: Double?)
  /// A ``IndexValue/text(_:)`` that is byte for byte one of these.
  case text(attribute: String, equals: [String])
  /// A ``IndexValue/text(_:)`` from `low` to `high` in the order of UTF-8 bytes, both included; `nil` is unbounded.
  case textRange(attribute: String, low: String?, high: String?)
  /// A ``IndexValue/text(_:)`` whose UTF-8 bytes begin with these.
  case textPrefix(attribute: String, prefix: String)
  /// A ``IndexValue/time(_:)`` from `low` to `high`, both included; `nil` is unbounded.
  case time(attribute: String, low: DateTime?, high: DateTime?)
}

/// What an index holds of one top-level attribute.
///
/// - Scalars: a JSON number is a `number` (as a `Double`); a string is a `text`, and a `time` as well when it reads as
///   a DateTime; `true`, `false` and `null` are nothing. A typed value `{"@type": …, "@value": v}` counts as `v`.
/// - Arrays: the scalars among their members, one level deep (`==` looks no deeper; clause 4.9).
/// - Property, JsonProperty, ListProperty: the scalars of the value. Relationship, ListRelationship: each object's URI
///   as `text`. VocabProperty: each expanded IRI as `text`. LanguageProperty: each text of each language.
/// - An attribute without any of these is still found by its name: ``IndexValue/none``.
///
/// Texts are cut to ``maxTextBytes``; conditions are made to match what is cut.
public enum IndexValue: Sendable {
  case number(Double)
  case text(String)
  case time(DateTime)
  /// The attribute is there; it has no value that an index can order.
  case none
  /// The attribute has more than one number or text; stands beside them.
  case several
  /// The attribute has more values than ``maxValues``: it meets every condition on its values.
  case unlisted

  /// Longest text that is kept, in UTF-8 bytes.
  public static let maxTextBytes = 200
  /// Most values that are listed for one attribute; more become ``unlisted``.
  public static let maxValues = 256

  /// The index values of one attribute, at least one, without repetition.
  public static func values(of set: AttributeSet) -> [IndexValue] {
    var collector = Collector()
    for instance in set.instances { collector.add(instance) }
    if collector.isFull { return [.unlisted] }
    if collector.scalars > 1 { return collector.values + [.several] }
    return collector.values.isEmpty ? [.none] : collector.values
  }

  /// The part of a text that the index keeps: up to the first NUL, at most ``maxTextBytes``, whole characters.
  public static func key(of text: String) -> String {
    let bytes = text.utf8
    if bytes.count <= maxTextBytes, !bytes.contains(0) { return text }
    var end = bytes.index(bytes.startIndex, offsetBy: maxTextBytes, limitedBy: bytes.endIndex) ?? bytes.endIndex
    if let zero = bytes[..<end].firstIndex(of: 0) { end = zero }
    while end > bytes.startIndex, end < bytes.endIndex, bytes[end] & 0xC0 == 0x80 { bytes.formIndex(before: &end) }
    return String(text[..<end])
  }

  private struct Collector {
    var values: [IndexValue] = []
    private var seen: Set<IndexValue> = []
    /// How many of the values are numbers and texts; a time is one of these texts.
    var scalars: Int {
      values.reduce(0) { count, value in
        switch value {
        case .number, .text: count + 1
        case .time, .none, .several, .unlisted: count
        }
      }
    }
    var isFull = false

    mutating func add(_ instance: Attribute) {
      switch instance.kind {
      case .property, .jsonProperty, .listProperty, .relationship, .listRelationship, .vocabProperty:
        add(instance.value)
      case .languageProperty:
        guard case .object(let map) = instance.value else { return add(instance.value) }
        for member in map.members { add(member.value) }
      case .geoProperty: return
      }
    }

    private mutating func add(_ json: JSON) {
      guard !isFull else { return }
      let plain = json.plainValue
      guard case .array(let items) = plain else { return addScalar(plain) }
      for item in items { addScalar(item.plainValue) }
    }

    private mutating func addScalar(_ json: JSON) {
      switch json {
      case .integer, .double, .decimal:
        if let number = json.number { add(IndexValue.number(number)) }
      case .string(let text):
        add(.text(IndexValue.key(of: text)))
        if let time = DateTime(text) { add(.time(time)) }
      case .null, .bool, .array, .object: return
      }
    }

    private mutating func add(_ value: IndexValue) {
      guard !isFull else { return }
      // A short list is searched in line; most attributes have one value.
      if values.count < 16 {
        if !values.contains(value) { values.append(value) }
        return
      }
      if seen.isEmpty { seen = Set(values) }
      guard seen.insert(value).inserted else { return }
      values.append(value)
      if values.count > IndexValue.maxValues {
        isFull = true
        values = []
      }
    }
  }
}

// Texts are the same when their bytes are: an index knows no canonical equivalence.
extension IndexValue: Hashable {
  public static func == (left: IndexValue, right: IndexValue) -> Bool {
    switch (left, right) {
    case (.number(let a), .number(let b)): a == b
    case (.text(let a), .text(let b)): TextOrder.equal(a, b)
    case (.time(let a), .time(let b)): a == b
    case (.none, .none), (.several, .several), (.unlisted, .unlisted): true
    default: false
    }
  }

  public func hash(into hasher: inout Hasher) {
    switch self {
    case .number(let number): hasher.combine(number)
    case .text(let text): for byte in text.utf8 { hasher.combine(byte) }
    case .time(let time): hasher.combine(time)
    case .none: hasher.combine(1)
    case .unlisted: hasher.combine(2)
    case .several: hasher.combine(3)
    }
  }
}

extension JSON {
  /// The value itself, or what a JSON-LD value object `{"@type": …, "@value": v}` holds (clause 4.6.3).
  var plainValue: JSON {
    if case .object(let object) = self, object.count <= 3, let inner = object["@value"] { return inner }
    return self
  }
}
