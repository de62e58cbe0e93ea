import Foundation
import NGSI

/// A bin that fills by day and is emptied at five in the morning, every so many days.
struct WasteContainerModel: DeviceModel {
  static let attributes = ["fillingLevel", "dateLastEmptying", "temperature", "status"]
  static let parameters = [
    ModelParameter(name: "litres", range: 30...10_000, standard: 660),
    ModelParameter(name: "days", range: 1...14, standard: 2),
  ]

  let litres: Double
  /// Days between two collections.
  let days: Double

  func description(of device: Device) -> [Observation] {
    [Observation("storedWasteVolume", litres, digits: 0, unit: "LTR")]
  }

  func reading(of device: Device, at moment: Moment) -> [Observation] {
    let now = moment.conditions
    let round = Int(days)
    let shift = 5.0 * 3600
    // Days and seconds since the last emptying; each bin has its own day of the round.
    let dayOfWaste = now.secondsOfDay >= shift ? now.day : now.day - 1
    let phase = Int(device.stream.unit(0, 1) * Double(round))
    let past = ((dayOfWaste + phase) % round + round) % round
    let today = (now.secondsOfDay - shift + (now.secondsOfDay >= shift ? 0 : 86_400)) / 86_400
    let emptied = dayOfWaste - past
    // By the day a share is thrown in; what a round's days bring varies.
    var level = 0.01
    for day in emptied...dayOfWaste {
      let daily = (0.5 + 0.55 * device.stream.unit(Int64(day), 2)) / days * (0.8 + 0.35 * device.stream.unit(0, 3))
      level += daily * (day == dayOfWaste ? Self.share(today) : 1)
    }
    let emptiedAt = now.midnight.adding(seconds: Double(emptied - now.day) * 86_400 + shift)
    let filled = level.clamped(0...1)
    return [
      Observation("fillingLevel", filled, digits: 3, unit: "C62"),
      Observation("dateLastEmptying", .string(emptiedAt.description)),
      Observation("temperature", now.temperature + 0.006 * now.irradiance + 2 * filled, digits: 1, unit: "CEL"),
      Observation("status", filled >= 0.9 ? "full" : "ok"),
    ]
  }

  /// Share of a day's waste that has come, so many days after five in the morning: little at night, all at the end.
  private static func share(_ day: Double) -> Double {
    let x = (day / 0.8).clamped(0...1)
    return x * x * (3 - 2 * x)
  }
}

/// A battery-powered node: its charge falls over months, then the battery is changed.
struct BatteryDeviceModel: DeviceModel {
  static let attributes = ["batteryLevel", "rssi", "deviceState"]
  static let parameters = [ModelParameter(name: "batteryDays", range: 10...5000, standard: 700)]

  /// Days a battery lasts.
  let life: Double

  func description(of device: Device) -> [Observation] {
    [Observation("category", ["sensor"]), Observation("controlledProperty", ["temperature", "humidity"])]
  }

  func reading(of device: Device, at moment: Moment) -> [Observation] {
    let now = moment.conditions
    let own = device.stream
    let position = now.time.secondsSince1970 / 86_400 / life + own.unit(0, 1)
    let used = position - position.rounded(.down)
    // Cold takes some of the charge that can be drawn.
    let level = (1 - 0.93 * used) * (1 - 0.002 * max(0, 10 - now.temperature))
    let signal = -62 - 40 * own.unit(0, 2) + 4 * own.smooth(now.time.secondsSince1970, period: 1800, 3)
    return [
      Observation("batteryLevel", level.clamped(0...1), digits: 3, unit: "C62"),
      Observation("rssi", signal.clamped(-125 ... -30), digits: 0, unit: "DBM"),
      Observation("deviceState", level < 0.1 ? "lowBattery" : "ok"),
    ]
  }
}
