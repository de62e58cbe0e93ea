/// The members of a JSON object in the order they came.
///
/// Small objects are searched in line; larger ones carry an index, so that no input makes look-up quadratic.
public struct JSONObject: Sendable {
  public struct Member: Sendable, Hashable {
    public var key: String
    public var value: JSON

    public init(key: String, value: JSON) {
      self.key = key
      self.value = value
    }
  }

  public private(set) var members: [Member]
  private var index: [String: Int]?

  static let indexedFrom = 24

  public init() {
    members = []
    index = nil
  }

  /// Takes members that are known to have distinct keys.
  public init(uniqueMembers: [Member]) {
    members = uniqueMembers
    index = nil
    buildIndexIfLarge()
  }

  public var count: Int { members.count }
  public var isEmpty: Bool { members.isEmpty }
  public var keys: [String] { members.map(\.key) }

  public subscript(key: String) -> JSON? {
    get { position(of: key).map { members[$0].value } }
    set {
      switch (position(of: key), newValue) {
      case (let position?, let value?): members[position].value = value
      case (let position?, nil):
        members.remove(at: position)
        index = nil
        buildIndexIfLarge()
      case (nil, let value?):
        members.append(Member(key: key, value: value))
        if index != nil { index?[key] = members.count - 1 } else { buildIndexIfLarge() }
      case (nil, nil): break
      }
    }
  }

  public func contains(_ key: String) -> Bool { position(of: key) != nil }

  private func position(of key: String) -> Int? {
    if let index { return index[key] }
    return members.firstIndex { $0.key == key }
  }

  private mutating func buildIndexIfLarge() {
    guard members.count >= Self.indexedFrom else { return }
    var built = [String: Int](minimumCapacity: members.count)
    for (offset, member) in members.enumerated() { built[member.key] = offset }
    index = built
  }
}

extension JSONObject: Hashable {
  public static func == (left: JSONObject, right: JSONObject) -> Bool {
    left.count == right.count && left.members.allSatisfy { right[$0.key] == $0.value }
  }

  public func hash(into hasher: inout Hasher) {
    var mixed = 0
    for member in members {
      var inner = Hasher()
      inner.combine(member.key)
      inner.combine(member.value)
      mixed ^= inner.finalize()
    }
    hasher.combine(mixed)
  }
}

extension JSONObject: Sequence {
  public func makeIterator() -> IndexingIterator<[Member]> { members.makeIterator() }
}
