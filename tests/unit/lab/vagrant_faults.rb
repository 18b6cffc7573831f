# Prints what is told of each lab file, one JSON list: `ruby vagrant_faults.rb LAB_FILE_RB FILE...`.
require "vagrant"
require "json"
require ARGV.shift

told = ARGV.map do |file|
  SkiffLab::LabFile.new(SkiffLab::Entry.load(file), "/state")
  ""
rescue SkiffLab::Fault => fault
  fault.message
end
puts JSON.dump(told)
