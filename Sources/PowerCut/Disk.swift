import Foundation

/// Pseudo-random numbers (SplitMix64), so that a seed gives the same crash state again.
struct Chance: RandomNumberGenerator {
  private var state: UInt64

  init(_ seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }

  mutating func below(_ bound: Int) -> Int { Int(next() % UInt64(max(1, bound))) }

  mutating func happens(_ share: Double) -> Bool { Double(next() >> 11) / Double(1 << 53) < share }
}

/// What a power cut leaves of the writes that no sync had made safe.
enum Survival: CaseIterable {
  /// None of them.
  case nothing
  /// All of them, as after kill -9.
  case everything
  /// The first of them; the last of these is torn.
  case inOrder
  /// Any sectors of any of them: of one that was written more than once, any of its contents.
  case sectors
  /// The same, by the page.
  case pages
  /// One of them only.
  case one
  /// All but one.
  case allButOne
}

/// A file as it is on the disk, and what has been done to it since, which the disk may or may not have.
struct DiskFile {
  enum Change {
    case write(offset: Int, bytes: Range<Int>)
    case truncate(Int)
  }

  static let sector = 512
  static let page = 4096

  private(set) var safe: [UInt8] = []
  private(set) var pending: [(position: Int, change: Change)] = []

  mutating func note(_ change: Change, at position: Int) { pending.append((position, change)) }

  /// What was done before the sync began is safe.
  mutating func sync(begunAt position: Int, _ bytes: Data) {
    let end = pending.firstIndex { $0.position > position } ?? pending.count
    for (_, change) in pending[..<end] { Self.apply(change, to: &safe, bytes) }
    pending.removeSubrange(..<end)
  }

  private static func apply(_ change: Change, to image: inout [UInt8], _ bytes: Data) {
    switch change {
    case .truncate(let size): resize(&image, size)
    case .write(let offset, let range):
      if image.count < offset + range.count { resize(&image, offset + range.count) }
      image.withUnsafeMutableBytes { target in
        bytes.withUnsafeBytes { source in
          guard let to = target.baseAddress, let from = source.baseAddress else { return }
          memcpy(to + offset, from + range.lowerBound, range.count)
        }
      }
    }
  }

  private static func resize(_ image: inout [UInt8], _ size: Int) {
    if image.count > size { image.removeLast(image.count - size) }
    if image.count < size { image.append(contentsOf: repeatElement(0, count: size - image.count)) }
  }

  /// The file as it may be found after a cut.
  func crashed(_ survival: Survival, _ chance: inout Chance, _ bytes: Data) -> [UInt8] {
    if pending.isEmpty || survival == .nothing { return safe }
    // The file as the program saw it, change by change; sectors of it come through.
    var seen = safe
    var left = safe
    var sizes = [safe.count]
    let share = [0.03, 0.2, 0.5, 0.8, 0.97][chance.below(5)]
    let chosen = chance.below(pending.count)
    for (number, (_, change)) in pending.enumerated() {
      Self.apply(change, to: &seen, bytes)
      sizes.append(seen.count)
      guard case .write(let offset, let range) = change else {
        if survival == .everything { Self.resize(&left, seen.count) }
        continue
      }
      let unit = survival == .pages ? Self.page : Self.sector
      var places = Array(offset / unit...(offset + range.count - 1) / unit)
      switch survival {
      case .nothing: places = []
      case .everything: break
      case .inOrder:
        if number > chosen { places = [] }
        if number == chosen {
          let torn = chance.below(places.count + 1)
          places = Array(chance.happens(0.5) ? places.prefix(torn) : places.suffix(torn))
        }
      case .sectors, .pages: places.removeAll { _ in !chance.happens(share) }
      case .one: if number != chosen { places = [] }
      case .allButOne: if number == chosen { places = [] }
      }
      for place in places { Self.copy(seen, to: &left, from: place * unit, count: unit) }
    }
    return sized(left, sizes, survival, &chance)
  }

  private static func copy(_ source: [UInt8], to target: inout [UInt8], from start: Int, count: Int) {
    let end = min(source.count, start + count)
    guard start < end else { return }
    if target.count < end { resize(&target, end) }
    target.withUnsafeMutableBytes { target in
      source.withUnsafeBytes { source in
        guard let to = target.baseAddress, let from = source.baseAddress else { return }
        memcpy(to + start, from + start, end - start)
      }
    }
  }

  /// The size of the file comes through, or not, on its own: what is beyond it is gone, and what it has gained without
  /// its contents is zero, or what was on the disk before.
  private func sized(_ image: [UInt8], _ sizes: [Int], _ survival: Survival, _ chance: inout Chance) -> [UInt8] {
    guard survival != .everything else { return image }
    var image = image
    let size = chance.happens(0.5) ? max(image.count, safe.count) : sizes[chance.below(sizes.count)]
    let old = image.count
    Self.resize(&image, size)
    if size > old, chance.happens(0.3) {
      for position in stride(from: old, to: size, by: 8) {
        let noise = chance.next()
        for byte in position..<min(size, position + 8) {
          image[byte] = UInt8(truncatingIfNeeded: noise >> UInt64((byte - position) * 8))
        }
      }
    }
    return image
  }
}

/// A folder with its files. A name is safe when the folder was synced after it was given or taken away; until then, the
/// last changes of a name may be undone, of each name for itself.
struct DiskFolder {
  private(set) var files: [Int: DiskFile] = [:]
  private var safeNames: [String: Int] = [:]
  private var pendingNames: [(position: Int, name: String, file: Int?, isRename: Bool)] = []
  private var begun: [Int: Int] = [:]

  /// - Parameter trusts: whether a sync of this file is believed.
  mutating func note(_ operation: Operation, at position: Int, _ bytes: Data, trusts: (String) -> Bool) {
    switch operation {
    case .create(let file, let name):
      files[file] = DiskFile()
      pendingNames.append((position, name, file, false))
    case .unlink(_, let name): pendingNames.append((position, name, nil, false))
    case .rename(let file, let name): pendingNames.append((position, name, file, true))
    case .write(let file, let offset, let range): files[file]?.note(.write(offset: offset, bytes: range), at: position)
    case .truncate(let file, let size): files[file]?.note(.truncate(size), at: position)
    case .syncBegin(_, let number): begun[number] = position
    case .syncEnd(let file, let number):
      guard let start = begun.removeValue(forKey: number) else { return }
      if file == 0 { return syncNames(begunAt: start) }
      if trusts(name(of: file)) { files[file]?.sync(begunAt: start, bytes) }
    case .begun, .acknowledged, .placed, .shown: break
    }
  }

  private func name(of file: Int) -> String {
    pendingNames.last { $0.file == file }?.name ?? safeNames.first { $0.value == file }?.key ?? ""
  }

  private mutating func syncNames(begunAt start: Int) {
    let end = pendingNames.firstIndex { $0.position > start } ?? pendingNames.count
    for change in pendingNames[..<end] { Self.apply(change, to: &safeNames) }
    pendingNames.removeSubrange(..<end)
  }

  /// A file that is renamed has its new name and not the old one, at once.
  private static func apply(
    _ change: (position: Int, name: String, file: Int?, isRename: Bool), to names: inout [String: Int]
  ) {
    if change.isRename, let old = names.first(where: { $0.value == change.file })?.key { names[old] = nil }
    names[change.name] = change.file
  }

  /// The folder as it may be found after a cut.
  func crashed(_ chance: inout Chance, _ bytes: Data) -> [String: [UInt8]] {
    var names = safeNames
    let keepsAll = chance.happens(0.5)
    for name in Set(pendingNames.map(\.name)).sorted() {
      let changes = pendingNames.filter { $0.name == name }
      let kept = keepsAll ? changes.count : chance.below(changes.count + 1)
      for change in changes.prefix(kept) { Self.apply(change, to: &names) }
    }
    var found: [String: [UInt8]] = [:]
    for (name, file) in names.sorted(by: { $0.key < $1.key }) {
      let survival = Survival.allCases[chance.below(Survival.allCases.count)]
      found[name] = files[file]?.crashed(survival, &chance, bytes)
    }
    return found
  }
}
