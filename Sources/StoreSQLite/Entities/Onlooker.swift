import NGSI
import Query
import Store

/// Who looks at entities one after another, and may not see everything. Entities of the same types and scopes often
/// follow one another: what may be seen of them is asked once.
final class Onlooker {
  private let visibility: EntityVisibility
  /// Types and scopes of the entity before, as they are stored.
  private var kind: [UInt8] = []
  private var glance: EntityVisibility.Glance?
  /// By the number of an attribute's name, for entities of this kind.
  private var shown: [Int64: Bool] = [:]

  init(_ visibility: EntityVisibility) { self.visibility = visibility }

  /// What of an entity may be seen, until the next one is looked at; `nil` when it may not be known that it is there.
  func seen(_ found: FoundEntity) throws(StoreError) -> FoundEntity? {
    var seen = found
    switch try glance(at: found) {
    case .nothing: return nil
    case .whole: break
    case .attributes: seen.onlooker = self
    case .unclear:
      guard let shown = visibility.visible(try found.whole()) else { return nil }
      seen.shown = shown
    }
    return seen
  }

  private func glance(at found: FoundEntity) throws(StoreError) -> EntityVisibility.Glance {
    var reader = ByteReader(found.bytes)
    let now = try reader.kind()
    if let glance, kind.elementsEqual(now) { return glance }
    let glance = visibility.glance(try found.head())
    kind = Array(now)
    self.glance = glance
    shown = [:]
    return glance
  }

  /// Whether an attribute of the entity that was looked at last may be seen.
  func shows(_ number: Int64, of session: ReadSession) throws(StoreError) -> Bool {
    guard case .attributes(let shows)? = glance else { return true }
    if let known = shown[number] { return known }
    let isShown = shows(try session.iri(number))
    shown[number] = isShown
    return isShown
  }

  /// An entity that was read of what was looked at last, without what is hidden.
  func shown(_ entity: Entity) -> Entity {
    guard case .attributes(let shows)? = glance else { return entity }
    var shown = entity
    shown.attributes.removeAll { !shows($0.name) }
    return shown
  }
}

extension ByteReader {
  /// Types and scopes of the entity that stands here, as bytes.
  fileprivate mutating func kind() throws(StoreError) -> UnsafeRawBufferPointer {
    guard try byte() == 1 else { throw ByteReader.damaged }
    _ = try slice()
    return try passed { reader throws(StoreError) in
      for _ in 0..<(try reader.count()) { _ = try reader.unsigned() }
      for _ in 0..<(try reader.count()) { _ = try reader.slice() }
    }
  }
}
