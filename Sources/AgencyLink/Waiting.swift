import NGSI

/// Turns in the order of their times, then of their numbers (a binary heap): with a day's messages waiting, the next is
/// found without a look at all of them.
struct Waiting: Sendable {
  struct Turn: Sendable {
    var at: DateTime
    var id: Int

    static func < (left: Turn, right: Turn) -> Bool { (left.at, left.id) < (right.at, right.id) }
  }

  private var turns: [Turn] = []

  var first: Turn? { turns.first }

  mutating func insert(_ turn: Turn) {
    turns.append(turn)
    var place = turns.count - 1
    while place > 0, turns[place] < turns[(place - 1) / 2] {
      turns.swapAt(place, (place - 1) / 2)
      place = (place - 1) / 2
    }
  }

  mutating func removeFirst() {
    guard let last = turns.popLast(), !turns.isEmpty else { return }
    turns[0] = last
    var place = 0
    while true {
      var least = place
      for child in [2 * place + 1, 2 * place + 2] where child < turns.count && turns[child] < turns[least] {
        least = child
      }
      guard least != place else { return }
      turns.swapAt(place, least)
      place = least
    }
  }
}
